import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/** A shop with the HTTP server of the JDK. DEFECT=no-httponly: a script can read the session cookie. */
public class App {
  record Session(String user, String csrf, List<String> cart) {}

  static final Map<String, Session> sessions = new ConcurrentHashMap<>();
  static final SecureRandom random = new SecureRandom();
  static final String httpOnly = "no-httponly".equals(System.getenv("DEFECT")) ? "" : "; HttpOnly";

  public static void main(String[] args) throws Exception {
    var address = new InetSocketAddress(InetAddress.getByName("127.0.0.1"), Integer.parseInt(args[0]));
    var server = HttpServer.create(address, 0);
    server.createContext("/", App::handle);
    server.setExecutor(Executors.newFixedThreadPool(8));
    server.start();
  }

  static void handle(HttpExchange exchange) throws java.io.IOException {
    var body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    var form = fieldsOf(body);
    var method = exchange.getRequestMethod();
    var route = method + " " + exchange.getRequestURI().getPath();
    var id = cookieOf(exchange);
    var session = sessions.get(id);
    if (route.equals("GET /health")) {
      answer(exchange, 200, "\"ok\"", null);
    } else if (route.equals("GET /login")) {
      var own = session == null ? open("") : id;
      answer(exchange, 200, "{\"csrf\":\"" + sessions.get(own).csrf() + "\"}", own);
    } else if (method.equals("POST") && (session == null || !session.csrf().equals(form.get("csrf")))) {
      answer(exchange, 403, "{}", null);
    } else if (route.equals("POST /login")) {
      logIn(exchange, id, form);
    } else if (session == null || session.user().isEmpty()) {
      answer(exchange, 401, "{}", null);
    } else if (route.equals("POST /logout")) {
      sessions.remove(id);
      answer(exchange, 200, "{}", "");
    } else {
      if (route.equals("POST /cart")) session.cart().add(form.getOrDefault("sku", ""));
      answer(exchange, 200, describe(session), null);
    }
  }

  static void logIn(HttpExchange exchange, String id, Map<String, String> form) throws java.io.IOException {
    if (!"secret".equals(form.get("password"))) {
      answer(exchange, 401, "{}", null);
      return;
    }
    sessions.remove(id);
    answer(exchange, 200, "{}", open(form.getOrDefault("user", "")));
  }

  static String open(String user) {
    var id = hex(24);
    sessions.put(id, new Session(user, hex(16), java.util.Collections.synchronizedList(new ArrayList<>())));
    return id;
  }

  static String hex(int length) {
    var bytes = new byte[length];
    random.nextBytes(bytes);
    return HexFormat.of().formatHex(bytes);
  }

  static String describe(Session session) {
    var items = session.cart().stream().map(item -> "\"" + item.replaceAll("[\"\\\\]", "") + "\"");
    var list = items.collect(Collectors.joining(","));
    return "{\"user\":\"" + session.user() + "\",\"csrf\":\"" + session.csrf() + "\",\"items\":[" + list + "]}";
  }

  static Map<String, String> fieldsOf(String body) {
    var fields = new HashMap<String, String>();
    for (var pair : body.split("&")) {
      var at = pair.indexOf('=');
      if (at > 0) fields.put(pair.substring(0, at), URLDecoder.decode(pair.substring(at + 1), StandardCharsets.UTF_8));
    }
    return fields;
  }

  static String cookieOf(HttpExchange exchange) {
    for (var header : exchange.getRequestHeaders().getOrDefault("Cookie", List.of()))
      for (var pair : header.split("; ")) if (pair.startsWith("sid=")) return pair.substring(4);
    return "";
  }

  static void answer(HttpExchange exchange, int status, String json, String id) throws java.io.IOException {
    var bytes = json.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    if (id != null) {
      var age = id.isEmpty() ? "; Max-Age=0" : "";
      exchange.getResponseHeaders().set("Set-Cookie", "sid=" + id + "; Path=/; SameSite=Lax" + httpOnly + age);
    }
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }
}
