"""One connection to a broker, shared by the node, the monitor and both doctors: MQTT 5 at QoS 1 by paho-mqtt."""

from importlib import import_module

from node.stand_ins import stand_ins

with stand_ins("hashlib", "urllib.request"):  # paho has them for WebSockets and for proxies, which no link uses
    import_module("paho.mqtt.client")
