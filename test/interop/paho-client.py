"""paho-mqtt as a command: publishes what stands on stdin, or prints a line for each message that comes. test/interop/clients.slow.ts runs it."""
import json
import os
import sys
from paho.mqtt import client as mqtt

options = json.loads(sys.argv[1])
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=options['clientId'], clean_session=options['clean'], protocol=mqtt.MQTTv311)
if options['will']:
    client.will_set(options['will']['topic'], options['will']['payload'], 1, False)


def show(line):
    print(line, flush=True)


def on_message(_client, _data, message):
    show(f"message {message.topic} {message.qos} {int(message.retain)} {len(message.payload)} {message.payload[:20].decode()}")


client.on_message = on_message
client.on_subscribe = lambda *_: show('Subscribed')
client.connect('127.0.0.1', options['port'])
if options['filter'] is None:
    client.loop_start()
    client.publish(options['topic'], sys.stdin.buffer.read(), options['qos'], options['retain']).wait_for_publish()
    client.disconnect()
else:
    client.on_connect = lambda *_: client.subscribe(options['filter'], options['qos'])
    client.loop_forever()
