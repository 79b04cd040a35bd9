<?php
// The cart of bare_cart.c as PHP has it: the same two hashes, the same one round trip, the same answer. Redis is
// connected to for each request, as a page of PHP does.
declare(strict_types=1);

$redis = new Redis();
$redis->connect(getenv('BARE_REDIS'));
$user = $_SERVER['CART_USER'];

$commands = $redis->pipeline();
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $body = json_decode(file_get_contents('php://input'), true);
    $commands->hIncrBy("bare:quantities:$user", $body['sku'], $body['quantity']);
}
$replies = $commands->hGetAll("bare:quantities:$user")->hVals("bare:lines:$user")->exec();
[$quantities, $values] = array_slice($replies, -2);

$lines = [];
$pieces = 0;
$total = 0;
foreach ($values as $value) {
    $line = json_decode($value, true);
    $line['quantity'] = (int) $quantities[$line['sku']];
    $line['lineTotal'] = $line['quantity'] * $line['unitPrice'];
    $pieces += $line['quantity'];
    $total += $line['lineTotal'];
    $lines[] = $line;
}
$answer = json_encode(
    ['currency' => 'GBP', 'lines' => $lines, 'quantity' => $pieces, 'total' => $total],
    JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE
);
header('Content-Type: application/json');
header('Content-Length: ' . strlen($answer));
echo $answer;
