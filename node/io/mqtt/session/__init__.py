"""One connection to a broker, from the name lookup to its end: its client, its socket, what it sends and hears."""

from importlib import import_module

from node.stand_ins import stand_ins

# paho has them for WebSockets and for proxies, which no link uses; and for TLS, where login/tls.py gives it ssl.
with stand_ins("hashlib", "urllib.request", "ssl"):
    import_module("paho.mqtt.client")
