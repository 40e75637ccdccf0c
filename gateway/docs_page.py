"""The API's documentation for people: Swagger UI from its package, without anything from elsewhere."""

import mimetypes
from collections.abc import Iterator
from importlib import resources

from gateway.exchange import Handler, HeaderList, Request, Response

_ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Opsfield API</title>
  <link rel="stylesheet" href="/docs/swagger-ui.css">
  <link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="/docs/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/api/v1/openapi",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  filter: true,
  persistAuthorization: false,
  validatorUrl: null,
});
"""
# Swagger UI sets style attributes, and shows its icons from data: URLs.
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def routes() -> Iterator[tuple[str, Handler]]:
    """Paths and handlers of the page and its files, all for GET."""
    yield "/", _answer(Response(307, b"", [(b"location", b"/docs")]))
    yield "/docs", _answer(_file("index.html", _PAGE.encode()))
    yield "/docs/start.js", _answer(_file("start.js", _START.encode()))
    (folder,) = (each for each in (resources.files("swagger_ui_bundle") / "vendor").iterdir() if each.is_dir())
    for name in _ASSETS:
        yield f"/docs/{name}", _answer(_file(name, (folder / name).read_bytes()))


def _file(name: str, content: bytes) -> Response:
    media_type, _ = mimetypes.guess_type(name)
    headers: HeaderList = [
        (b"content-type", f"{media_type}{'' if name.endswith('.png') else '; charset=utf-8'}".encode()),
        (b"cache-control", b"public, max-age=3600"),
        (b"content-security-policy", _POLICY),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
    ]
    return Response(200, content, headers)


def _answer(response: Response) -> Handler:
    async def handler(_request: Request) -> Response:
        return Response(response.status, response.body, list(response.headers))

    return handler
