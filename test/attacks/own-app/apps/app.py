"""A shop with the standard library of Python. DEFECT=cookie-only-logout: a logout clears the cookie, and no more."""

import json
import os
import secrets
import sys
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

DEFECT = os.environ.get("DEFECT", "")
sessions = {}


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.handle_route("GET")

    def do_POST(self):
        self.handle_route("POST")

    def handle_route(self, method):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("utf-8", "replace")
        form = {name: values[0] for name, values in parse_qs(body).items()}
        route = f"{method} {self.path.split('?')[0]}"
        if route == "GET /health":
            return self.answer(200, "ok")
        session_id = self.session_id()
        session = sessions.get(session_id)
        if route == "GET /login":
            if session is None:
                session_id, session = self.open({"user": None})
            return self.answer(200, {"csrf": session["csrf"]}, session_id)
        if method == "POST" and (session is None or not secrets.compare_digest(session["csrf"], form.get("csrf", ""))):
            return self.answer(403, {"error": "csrf"})
        if route == "POST /login":
            if form.get("password") != "secret":
                return self.answer(401, {"error": "wrong password"})
            sessions.pop(session_id, None)
            session_id, _ = self.open({"user": form["user"], "cart": []})
            return self.answer(200, {}, session_id)
        if session is None or session["user"] is None:
            return self.answer(401, {"error": "no login"})
        if route == "POST /cart":
            session["cart"].append(form.get("sku", ""))
        if route == "POST /logout":
            if DEFECT != "cookie-only-logout":
                sessions.pop(session_id, None)
            return self.answer(200, {}, "")
        return self.answer(200, {"user": session["user"], "items": session["cart"], "csrf": session["csrf"]})

    def session_id(self):
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get("sid")
        except Exception:
            return ""
        return found.value if found else ""

    def open(self, data):
        session_id = secrets.token_urlsafe(32)
        sessions[session_id] = {**data, "csrf": secrets.token_hex(16)}
        return session_id, sessions[session_id]

    def answer(self, status, body, session_id=None):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if session_id is not None:
            age = "; Max-Age=0" if session_id == "" else ""
            self.send_header("Set-Cookie", f"sid={session_id}; Path=/; HttpOnly; SameSite=Lax{age}")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
