"""Integer ids in paths: plain digits, however many; a number that no row can have finds no row."""

from werkzeug.routing import IntegerConverter

from softfactory.http.paging import whole_number


class IdConverter(IntegerConverter):
    """What ``<int:...>`` in a rule takes: ASCII digits alone.

    Werkzeug's own takes those of every script, and more than 4300 of them for no number, so that
    another route answers.
    """

    regex = r"[0-9]+"
    num_convert = staticmethod(whole_number)
