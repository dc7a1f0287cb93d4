"""One connection to a broker, shared by the node, the monitor and both doctors: MQTT 5 at QoS 1 by paho-mqtt."""
