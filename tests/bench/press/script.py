"""The usual script for a panic button: gpiozero, paho-mqtt, and about thirty lines.

python script.py PORT [--ca FILE] [--database FILE]
"""

import argparse
import json
import signal
import sqlite3
import time

from gpiozero import Button, Buzzer
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("--ca")
parser.add_argument("--database")
asked = parser.parse_args()

database = None
if asked.database:
    database = sqlite3.connect(asked.database, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS press (at REAL)")

button, buzzer = Button(17, bounce_time=0.02), Buzzer(22)
client = Client(CallbackAPIVersion.VERSION2)
client.will_set("script/status", "offline", qos=1, retain=True)
client.on_connect = lambda client, *_: client.publish("script/status", "online", qos=1, retain=True)
if asked.ca:
    client.tls_set(asked.ca)
client.connect("127.0.0.1", asked.port)
client.loop_start()


def pressed() -> None:
    """Sound, store, send."""
    buzzer.on()
    if database:
        with database:
            database.execute("INSERT INTO press VALUES (?)", (time.time(),))
    client.publish("script/pressed", json.dumps({"at": time.time()}), qos=1)


button.when_pressed = pressed
button.when_released = buzzer.off
signal.pause()
