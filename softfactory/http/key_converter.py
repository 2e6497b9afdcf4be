"""The part of a URL's path that is a key, or another name of a file."""

from werkzeug.routing import PathConverter


class KeyConverter(PathConverter):
    """Takes any text, as a key may be any: also a slash at its beginning, and line feeds."""

    part_isolating = False
    regex = r"[\s\S]+?"
