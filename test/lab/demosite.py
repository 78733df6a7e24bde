# SPDX-License-Identifier: MIT
"""The demo site: a few pages with a style sheet and pictures, made here so that no file is needed.

Pages live 10 s in the cache and pictures an hour, so a person who reloads sees `Age` grow and the
page be fetched anew. Each page says which board's web server wrote it, and when.
"""

import struct
import time
import zlib

STYLE = b"""\
:root { --leaf: #2e7d32; --ink: #1b2a1c; --paper: #f6faf5 }
* { box-sizing: border-box }
body { margin: 0; font: 17px/1.6 sans-serif; color: var(--ink); background: var(--paper) }
header { background: var(--leaf); color: #fff; padding: 1.2rem 2rem }
header { display: flex; gap: 1rem; align-items: center }
header img { width: 44px }
header a { color: #fff; margin-left: 1rem }
main { max-width: 46rem; margin: 2rem auto; padding: 0 1.5rem }
figure { display: inline-block; margin: .5rem; text-align: center }
figure img { border-radius: 8px }
code { background: #e3efe2; padding: .1em .35em; border-radius: 4px }
footer { color: #5b6b5c; border-top: 1px solid #d5e3d4; margin-top: 3rem; padding-top: 1rem }
"""

LOGO = b"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><g fill="#c8e6c9">
<path d="M32 4C14 14 8 30 14 46c6-10 10-16 18-22-6 8-10 16-12 26 22 6 36-10 32-34-6-4-12-8-20-12z"/>
</g>
<path d="M12 60c2-12 8-24 20-36" stroke="#fff" stroke-width="3" fill="none"/></svg>
"""


def picture(seed, width=160, height=120):
    """A soft colour field as a PNG: big enough to be worth caching, different for each seed."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            red, green = (x * seed // 3 + y) & 255, 96 + (y * 2 + x // seed) % 128
            rows += bytes((red, green, (x ^ (y * seed)) & 127))
    shape = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(rows), 6)
    parts = ((b"IHDR", shape), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*p) for p in parts)


def _chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def page(title, text):
    """One page; %ORIGIN% and %TIME% are filled in when it is served."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title} &middot; GreenPi</title>
<link rel="stylesheet" href="/style.css"><link rel="icon" href="/logo.svg"></head>
<body><header><img src="/logo.svg" alt=""><strong>GreenPi</strong>
<nav><a href="/">Home</a><a href="/boards.html">Boards</a><a href="/pictures.html">Pictures</a>
</nav></header>
<main><h1>{title}</h1>{text}
<footer>Written by the web server of <b>%ORIGIN%</b> at %TIME%, kept 10 seconds in the cache.
</footer></main></body></html>
"""


HOME = """<p>You reached this page through <code>192.168.1.170</code>, an address that one of four
boards holds. Its balancer chose a board, and that board answered from its cache or asked its own
web server.</p>
<p>Reload: the time below stands still while the page is in the cache. The cookie
<code>SERVERID</code> keeps you on your board. Cut its power in the terminal and reload.</p>
<p><img src="/img/1.png" width="320" height="240" alt="a colour field"></p>"""

BOARD = "<li>GreenPi-{0}: 192.168.1.17{0}, cookie <code>app1inst{0}</code></li>"
BOARDS = "<p>Four small computers share the work:</p><ul>" + "".join(
    BOARD.format(i) for i in range(1, 5)) + "</ul>"

PICTURE = '<figure><img src="/img/{0}.png" alt="picture {0}"><figcaption>{0}</figcaption></figure>'
PICTURES = "".join(PICTURE.format(i) for i in range(1, 7))

_PAGE, _FILE = "max-age=10", "public, max-age=3600"


def _html(title, text):
    return ("text/html; charset=utf-8", page(title, text).encode(), _PAGE)


PAGES = {
    "/": _html("One address, four boards", HOME),
    "/boards.html": _html("The boards", BOARDS),
    "/pictures.html": _html("Pictures", PICTURES),
    "/style.css": ("text/css", STYLE, _FILE),
    "/logo.svg": ("image/svg+xml", LOGO, _FILE),
    **{f"/img/{i}.png": ("image/png", picture(i), _FILE) for i in range(1, 7)},
}


def answer(call, item, marks):
    """Serve one of PAGES, or 304 when the client has it."""
    kind, body, cache = item
    now = time.gmtime()
    if cache == _PAGE:
        body = body.replace(b"%ORIGIN%", call.origin.name.encode())
        body = body.replace(b"%TIME%", time.strftime("%H:%M:%S UTC", now).encode())
    etag = f'"{zlib.crc32(body):08x}"'
    headers = marks + [("Content-Type", kind), ("Cache-Control", cache), ("ETag", etag),
                       ("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", now))]
    if call.request.header("If-None-Match") == etag:
        call.answer(304, b"", headers)
    else:
        call.answer(200, body, headers)
