"""The URLs that local storage hands out: signed ones give bytes, plain ones only name them."""

from softfactory.blueprints.media.routes import blueprint

__all__ = ["blueprint"]
