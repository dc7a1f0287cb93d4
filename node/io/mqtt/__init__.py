"""One connection to a broker, shared by node, monitor and both doctors: MQTT 5 at QoS 1 by paho-mqtt."""
