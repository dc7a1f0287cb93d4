"""The demo without a person: a story, scene by scene, that checks each of its steps."""
