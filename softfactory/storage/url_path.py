"""Keys in the paths of URLs."""

from urllib.parse import quote


def url_path(key: str) -> str:
    """Return ``key`` percent-encoded for the path of a URL, of which no client changes anything.

    Clients resolve ``.`` and ``..`` segments before they send a URL (RFC 3986 section 5.2.4; WHATWG
    URL: also percent-encoded ones). So the slashes beside them are written %2F: to whoever serves
    the URL they are slashes all the same.
    """
    path = quote(key, safe="/")
    if not path.startswith(".") and "/." not in path:
        return path
    first, *rest = path.split("/")
    encoded, before = first, first
    for segment in rest:
        encoded += ("%2F" if {before, segment} & {".", ".."} else "/") + segment
        before = segment
    return encoded
