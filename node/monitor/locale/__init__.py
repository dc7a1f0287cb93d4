"""The translations of what people read, and how a text is looked up in them."""
