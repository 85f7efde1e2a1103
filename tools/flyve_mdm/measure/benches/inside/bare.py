# umqtt.simple as its documentation uses it: the peer of the firmware's link.

import gc


def memory(host, port):
    """Heap bytes of the library, connected with a will and one subscription."""
    gc.collect()
    before = gc.mem_alloc()
    from umqtt.simple import MQTTClient

    client = MQTTClient("bench", host, port, "user", "password", 60)
    client.set_last_will("bench/Status/Online", b'{"online": false}', True, 1)
    client.set_callback(lambda topic, message: None)
    client.connect()
    client.subscribe(b"bench/Command/#", 1)
    client.publish(b"bench/Status/Online", b'{"online": "true"}', True, 1)
    gc.collect()
    used = gc.mem_alloc() - before
    client.disconnect()
    return used
