"""What the chart was given, for jupyterhub_config.py and hub.extraConfig."""

import os
from functools import lru_cache

import yaml

SECRET = "/usr/local/etc/jupyterhub/secret"


@lru_cache
def _values():
    path = os.path.join(SECRET, "values.yaml")
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        return yaml.safe_load(file) or {}


def get_config(key, default=None):
    """Return the value at a dotted key, default when a part is missing or null."""
    value = _values()
    for part in key.split("."):
        if not isinstance(value, dict) or value.get(part) is None:
            return default
        value = value[part]
    return value


def get_secret_value(key, default="never-explicitly-set"):
    """Return one key of the Secret hub."""
    path = os.path.join(SECRET, key)
    if os.path.exists(path):
        with open(path) as file:
            return file.read()
    if default == "never-explicitly-set":
        raise KeyError(key)
    return default


def get_name(name):
    """Return the Kubernetes name of one of the chart's objects."""
    prefix = get_config("fullnameOverride", "")
    return f"{prefix}-{name}" if prefix else name


def set_config_if_not_none(section, trait, key):
    """Set a trait from a value of the chart unless that is null."""
    value = get_config(key)
    if value is not None:
        setattr(section, trait, value)
