# A shop with the standard library of Ruby. Its session is a signed token in a header.
# DEFECT=alg-none: a token says itself that it needs no signature.
require 'json'
require 'openssl'
require 'securerandom'
require 'socket'

SECRET = SecureRandom.bytes(32)
DEFECT = ENV.fetch('DEFECT', '')
CARTS = Hash.new { |carts, user| carts[user] = [] }
ENDED = {}
LOCK = Mutex.new

def encode(bytes)
  [bytes].pack('m0').tr('+/', '-_').delete('=')
end

def decode(text)
  text.tr('-_', '+/').unpack1('m')
end

def sign(text)
  OpenSSL::HMAC.digest('SHA256', SECRET, text)
end

def issue(user)
  claims = { sub: user, jti: SecureRandom.uuid, exp: Time.now.to_i + 600 }
  text = [{ alg: 'HS256', typ: 'JWT' }, claims].map { |part| encode(part.to_json) }.join('.')
  "#{text}.#{encode(sign(text))}"
end

def open_token(token)
  head, body, signature = token.split('.', -1)
  algorithm = JSON.parse(decode(head))['alg'].to_s
  unsigned = DEFECT == 'alg-none' && algorithm.casecmp?('none')
  unless unsigned
    return nil unless algorithm == 'HS256' && encode(decode(signature)) == signature
    return nil unless OpenSSL.secure_compare(decode(signature), sign("#{head}.#{body}"))
  end
  claims = JSON.parse(decode(body))
  claims['exp'].to_i > Time.now.to_i && !ENDED[claims['jti']] ? claims : nil
rescue StandardError
  nil
end

def answer(route, headers, body)
  return [200, 'ok'] if route == 'GET /health'

  if route == 'POST /login'
    sent = JSON.parse(body)
    return sent['password'] == 'secret' ? [200, { token: issue(sent['user']) }] : [401, {}]
  end
  claims = open_token(headers['authorization'].to_s.delete_prefix('Bearer '))
  return [401, {}] if claims.nil?

  CARTS[claims['sub']] << JSON.parse(body)['sku'] if route == 'POST /cart'
  ENDED[claims['jti']] = true if route == 'POST /logout'
  [200, { user: claims['sub'], items: CARTS[claims['sub']] }]
end

def serve(socket)
  while (line = socket.gets)
    method, target = line.split
    headers = {}
    while (field = socket.gets.to_s.chomp) != ''
      name, value = field.split(':', 2)
      headers[name.downcase] = value.strip
    end
    body = socket.read(headers['content-length'].to_i).to_s
    status, said = LOCK.synchronize { answer("#{method} #{target.split('?')[0]}", headers, body) }
    text = said.to_json
    socket.write("HTTP/1.1 #{status} Said\r\nContent-Type: application/json\r\nContent-Length: #{text.bytesize}\r\n\r\n#{text}")
  end
rescue SystemCallError, IOError
  nil
ensure
  socket.close
end

server = TCPServer.new('127.0.0.1', Integer(ARGV.fetch(0)))
loop { Thread.new(server.accept) { |socket| serve(socket) } }
