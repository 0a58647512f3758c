"""A shop with pages and forms, with the standard library of Python alone. Its sessions are in its memory."""

import os
import secrets
from html import escape
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

sessions = {}


def form(session, action, fields):
    token = f'<input type="hidden" name="csrf" value="{session["csrf"]}">'
    return f'<form method="post" action="{action}">{token}{fields}</form>'


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.handle_route("GET")

    def do_POST(self):
        self.handle_route("POST")

    def handle_route(self, method):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        path = self.path.split("?")[0]
        if path == "/health":
            return self.page("ok")
        found = SimpleCookie(self.headers.get("Cookie", "")).get("shop_session")
        session_id = found.value if found else ""
        session = sessions.get(session_id)
        if method == "GET" and path == "/signin":
            if session is None:
                session_id, session = self.open(None)
            fields = '<input name="email"><input name="password" type="password"><button id="in">Sign in</button>'
            return self.page(form(session, "/signin", fields), session_id)
        if method == "POST" and (session is None or sent.get("csrf") != session["csrf"]):
            return self.page("wrong token", status=403)
        if path == "/signin":
            if sent.get("password") != "secret":
                return self.page("wrong password", status=401)
            sessions.pop(session_id, None)
            return self.go("/basket", self.open(sent["email"])[0])
        if session is None or session["user"] is None:
            return self.go("/signin")
        if method == "POST" and path == "/basket":
            session["items"].append(sent.get("article", ""))
            return self.go("/basket")
        if method == "POST" and path == "/signout":
            sessions.pop(session_id, None)
            return self.go("/signin", "")
        return self.basket(session)

    def basket(self, session):
        items = "".join(f'<li class="article">{escape(item)}</li>' for item in session["items"])
        add = form(session, "/basket", '<input name="article"><button id="add">Add</button>')
        out = form(session, "/signout", '<button id="out">Sign out</button>')
        self.page(f'<p>Basket of <em>{escape(session["user"])}</em></p><ul>{items}</ul>{add}{out}')

    def open(self, user):
        session_id = secrets.token_urlsafe(24)
        sessions[session_id] = {"user": user, "items": [], "csrf": secrets.token_hex(16)}
        return session_id, sessions[session_id]

    def go(self, path, session_id=None):
        self.answer(303, b"", session_id, [("Location", path)])

    def page(self, body, session_id=None, status=200):
        text = f"<!doctype html><title>Shop</title>{body}".encode()
        self.answer(status, text, session_id, [("Content-Type", "text/html; charset=utf-8")])

    def answer(self, status, text, session_id, headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if session_id is not None:
            age = "; Max-Age=0" if session_id == "" else ""
            self.send_header("Set-Cookie", f"shop_session={session_id}; Path=/; HttpOnly; SameSite=Lax{age}")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Shop).serve_forever()
