run_as_root = true
daemonize = false
pidfile = "FOLDER/prosody.pid"
data_path = "FOLDER/data"
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "offline" }
modules_disabled = { "s2s" }
interfaces = { "127.0.0.1" }
c2s_ports = { 57131 }
c2s_require_encryption = true
authentication = "internal_hashed"
log = { warn = "*console" }
ssl = { certificate = "FOLDER/cert.pem"; key = "FOLDER/key.pem" }
VirtualHost "example.org"
