"""Somebody at the Firebase console: reads and edits documents with Google's own client, and watches the collection.

One request a line comes in as JSON, one answer a line goes out:

    {"do": "create", "path": "user_configs/bob", "fields": {...}}       {"at": 1.5}
    {"do": "set", "path": "...", "field": "sip.is_active", "value": 0}  {"at": 1.5}
    {"do": "get", "path": "..."}                                        {"fields": {"sip.sip_port": ["int", 5060], ...}}
    {"do": "await", "name": "bob", "field": "...", "prefix": "x",
     "within": 10}                                                      {"at": 1.5} or {"error": "..."}

Times are seconds since 1970: when the write had been answered, and when the watched field was first heard to begin so.
Usage: console.py PROJECT COLLECTION, with the server in FIRESTORE_EMULATOR_HOST.
"""

import json
import sys
import threading
import time

from google.cloud import firestore


class Watch:
    """What a listener of the collection has heard, document by document."""

    def __init__(self, collection):
        self.heard = {}
        self.news = threading.Condition()
        self.listening = collection.on_snapshot(self.hear)

    def hear(self, documents, _changes, _read_time):
        at = time.time()
        with self.news:
            for document in documents:
                self.heard.setdefault(document.id, []).append((at, flat(document.to_dict())))
            self.news.notify_all()

    def first(self, name, field, prefix):
        for at, fields in self.heard.get(name, []):
            if str(fields.get(field, [None, ""])[1]).startswith(prefix):
                return at
        return None

    def wait(self, name, field, prefix, within):
        with self.news:
            if self.news.wait_for(lambda: self.first(name, field, prefix) is not None, timeout=within):
                return {"at": self.first(name, field, prefix)}
        return {"error": f"not heard within {within} s: {name}.{field} beginning with {prefix!r}"}


def flat(fields, path=""):
    """Each field by its whole path, with the name of its Python type and its value."""
    found = {}
    for name, value in (fields or {}).items():
        if isinstance(value, dict):
            found.update(flat(value, f"{path}{name}."))
        else:
            shown = value if isinstance(value, (bool, int, float, str, type(None))) else str(value)
            found[path + name] = [type(value).__name__, shown]
    return found


def answer(client, watch, ask):
    if ask["do"] == "await":
        return watch.wait(ask["name"], ask["field"], ask["prefix"], ask["within"])
    document = client.document(ask["path"])
    if ask["do"] == "get":
        snapshot = document.get()
        return {"fields": flat(snapshot.to_dict())} if snapshot.exists else {"error": "there is no such document"}
    if ask["do"] == "create":
        document.create(ask["fields"])
    else:
        document.update({ask["field"]: ask["value"]})
    return {"at": time.time()}


def main():
    project, collection = sys.argv[1:]
    client = firestore.Client(project=project)
    watch = Watch(client.collection(collection))
    for line in sys.stdin:
        try:
            told = answer(client, watch, json.loads(line))
        except Exception as fault:  # whatever it was, the test is told
            told = {"error": repr(fault)}
        print(json.dumps(told), flush=True)
    watch.listening.unsubscribe()


if __name__ == "__main__":
    main()
