"""All that is done to rows and objects together, in one class."""

from softfactory.services.catalog.adopting import Adopting
from softfactory.services.catalog.deleting import Deleting
from softfactory.services.catalog.filling import Filling
from softfactory.services.catalog.renaming import Renaming


class Catalog(Filling, Adopting, Deleting, Renaming):
    """The files of all users: whose they are is decided before (``access``)."""

    __slots__ = ()
