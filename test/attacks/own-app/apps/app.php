<?php
// A shop with the sessions of PHP. DEFECT=keep-id: a login keeps the id of the session from before it.
// php -S 127.0.0.1:$PORT app.php
session_name('sid');
session_save_path(getenv('SESSIONS'));
ini_set('session.use_strict_mode', '1');
session_set_cookie_params(['path' => '/', 'httponly' => true, 'samesite' => 'Lax']);

function answer(int $status, $body): void
{
    http_response_code($status);
    header('content-type: application/json');
    echo json_encode($body);
    exit;
}

$route = $_SERVER['REQUEST_METHOD'] . ' ' . parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($route === 'GET /health') {
    answer(200, 'ok');
}
session_start();
$_SESSION['csrf'] ??= bin2hex(random_bytes(16));
if ($_SERVER['REQUEST_METHOD'] === 'POST' && !hash_equals($_SESSION['csrf'], $_POST['csrf'] ?? '')) {
    answer(403, ['error' => 'csrf']);
}
if ($route === 'GET /login') {
    answer(200, ['csrf' => $_SESSION['csrf']]);
}
if ($route === 'POST /login') {
    if (($_POST['password'] ?? '') !== 'secret') {
        answer(401, ['error' => 'wrong password']);
    }
    if (getenv('DEFECT') !== 'keep-id') {
        session_regenerate_id(true);
    }
    $_SESSION = ['user' => $_POST['user'], 'cart' => [], 'csrf' => bin2hex(random_bytes(16))];
    answer(200, (object) []);
}
if (!isset($_SESSION['user'])) {
    answer(401, ['error' => 'no login']);
}
if ($route === 'POST /cart') {
    $_SESSION['cart'][] = $_POST['sku'] ?? '';
}
if ($route === 'POST /logout') {
    $_SESSION = [];
    session_destroy();
    setcookie('sid', '', ['expires' => 1, 'path' => '/']);
    answer(200, (object) []);
}
answer(200, ['user' => $_SESSION['user'], 'items' => $_SESSION['cart'], 'csrf' => $_SESSION['csrf']]);
