"""The building's side: hears every node, answers with receipts, keeps the history, and tells people and tools.

A process of its own, on another machine than the nodes. Of the node it knows what travels (``node.protocol.messages``),
the types of the core, and how files are read and the service manager is told; nothing else.
"""
