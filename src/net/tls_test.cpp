// What TLS accepts and refuses, and what it tells: protocol versions, ciphers, SNI, ALPN, channel bindings, resumption.
#include <fstream>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "net/recorder.h"

namespace kith::net::testing {
namespace {

using Begin = Connection::Begin;

class TlsTest : public ::testing::Test {
 protected:
  /// A handshake between a fresh connection and a client with these options; empty, or the client's reason.
  std::string meet(const TlsClient::Options& options) {
    SocketPair pair = tcp_pair();
    server_ = std::make_unique<Recorder>(shard_);
    server_->begin(std::move(pair.server), settings_, Begin::tls);
    client_ = std::make_unique<TlsClient>(std::move(pair.client), options);
    return client_->handshake();
  }
  TlsFacts facts() {
    EXPECT_TRUE(server_->wait_secure());
    TlsFacts copy;
    server_->with([&](Transport& transport) {
      ASSERT_NE(transport.tls(), nullptr);
      copy = *transport.tls();
    });
    return copy;
  }
  std::string served_hash() {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(client_->ssl()),
                                                                  &X509_free);
    std::string hash(32, '\0');
    unsigned length = 32;
    X509_digest(certificate.get(), EVP_sha256(), reinterpret_cast<unsigned char*>(hash.data()), &length);
    return hash;
  }

  TestCertificates certificates_{{"example.org", "example.net", "xn--bcher-kva.example"}};
  ConnectionSettings settings_{.contexts = &certificates_.store, .alpn = "xmpp-client"};
  ShardThread shard_;
  std::unique_ptr<Recorder> server_;
  std::unique_ptr<TlsClient> client_;
};

TEST_F(TlsTest, tls_1_3_is_preferred_and_its_facts_are_told) {
  ASSERT_EQ(meet({.sni = "example.org"}), "");
  const TlsFacts told = facts();
  EXPECT_EQ(told.version, "TLSv1.3");
  EXPECT_EQ(told.cipher, "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(told.sni, "example.org");
  EXPECT_EQ(told.alpn, "");
}

TEST_F(TlsTest, tls_1_2_with_an_aead_cipher_is_accepted) {
  ASSERT_EQ(meet({.max_version = TLS1_2_VERSION}), "");
  EXPECT_EQ(facts().version, "TLSv1.2");
  EXPECT_EQ(facts().cipher, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
}

TEST_F(TlsTest, tls_1_1_and_older_are_refused) {
  EXPECT_NE(meet({.max_version = TLS1_1_VERSION}), "");
  ASSERT_TRUE(server_->wait_closed());
  EXPECT_EQ(server_->closed(), CloseReason::tls_failed);
  EXPECT_EQ(server_->failure, "unsupported protocol");
  EXPECT_NE(meet({.max_version = TLS1_VERSION}), "");
}

TEST_F(TlsTest, cbc_and_static_rsa_and_finite_field_suites_are_refused) {
  for (const char* suites : {"ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384",
                             "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM"}) {
    EXPECT_NE(meet({.max_version = TLS1_2_VERSION, .ciphers = suites}), "") << suites;
    ASSERT_TRUE(server_->wait_closed());
    EXPECT_EQ(server_->closed(), CloseReason::tls_failed);
    EXPECT_EQ(server_->failure, "no shared cipher");
  }
}

TEST_F(TlsTest, renegotiation_is_refused) {
  ASSERT_EQ(meet({.max_version = TLS1_2_VERSION}), "");
  SSL_renegotiate(client_->ssl());
  EXPECT_NE(SSL_do_handshake(client_->ssl()), 1);
}

TEST_F(TlsTest, the_certificate_is_the_one_that_the_client_asked_for) {
  ASSERT_EQ(meet({.sni = "example.net"}), "");
  EXPECT_EQ(client_->served_name(), "example.net");
  ASSERT_EQ(meet({.sni = "XN--bcher-kva.EXAMPLE"}), "");
  EXPECT_EQ(client_->served_name(), "xn--bcher-kva.example");
}

TEST_F(TlsTest, an_unknown_or_missing_name_gets_the_default_certificate) {
  ASSERT_EQ(meet({.sni = "example.com"}), "");
  EXPECT_EQ(client_->served_name(), "example.org");
  ASSERT_EQ(meet({.sni = ""}), "");
  EXPECT_EQ(client_->served_name(), "example.org");
  EXPECT_EQ(facts().sni, "");
}

TEST_F(TlsTest, channel_bindings_are_the_same_on_both_sides) {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    ASSERT_EQ(meet({.sni = "example.net", .max_version = version}), "");
    const TlsFacts told = facts();
    ASSERT_TRUE(told.channel_bindings.contains("tls-exporter"));
    EXPECT_TRUE(told.channel_bindings.at("tls-exporter") == client_->exporter());
    ASSERT_TRUE(told.channel_bindings.contains("tls-server-end-point"));
    EXPECT_TRUE(told.channel_bindings.at("tls-server-end-point") == served_hash());
  }
}

// RFC 9266 §2 (by way of RFC 7627): without the extended master secret, two TLS 1.2 connections can share an exporter
// value.
TEST_F(TlsTest, without_extended_master_secret_there_is_no_exporter_binding) {
  SocketPair pair = tcp_pair();
  server_ = std::make_unique<Recorder>(shard_);
  server_->begin(std::move(pair.server), settings_, Begin::tls);
  client_ = std::make_unique<TlsClient>(std::move(pair.client), TlsClient::Options{.max_version = TLS1_2_VERSION});
  SSL_set_options(client_->ssl(), SSL_OP_NO_EXTENDED_MASTER_SECRET);
  ASSERT_EQ(client_->handshake(), "");
  const TlsFacts told = facts();
  EXPECT_FALSE(told.channel_bindings.contains("tls-exporter"));
  EXPECT_TRUE(told.channel_bindings.contains("tls-server-end-point"));
}

TEST_F(TlsTest, facts_can_be_forgotten_and_are_worked_out_again) {
  ASSERT_EQ(meet({}), "");
  const TlsFacts told = facts();
  server_->with([](Transport& transport) { transport.forget_facts(); });
  EXPECT_TRUE(facts().channel_bindings == told.channel_bindings);
}

TEST_F(TlsTest, alpn_chooses_xmpp_client) {
  ASSERT_EQ(meet({.alpn = {"h2", "xmpp-client"}}), "");
  EXPECT_EQ(facts().alpn, "xmpp-client");
}

TEST_F(TlsTest, alpn_without_xmpp_client_is_refused) {
  EXPECT_EQ(meet({.alpn = {"h2", "http/1.1"}}), "tlsv1 alert no application protocol");
  ASSERT_TRUE(server_->wait_closed());
  EXPECT_EQ(server_->closed(), CloseReason::tls_failed);
}

TEST_F(TlsTest, a_listener_without_a_protocol_ignores_alpn) {
  settings_.alpn.clear();
  ASSERT_EQ(meet({.alpn = {"h2"}}), "");
  EXPECT_EQ(facts().alpn, "");
}

TEST_F(TlsTest, a_session_is_resumed_by_its_ticket) {
  server_ = std::make_unique<Recorder>(shard_);
  ASSERT_EQ(meet({}), "");
  server_->with([](Transport& transport) { transport.write("x"); });
  EXPECT_EQ(client_->read(), "x");  // the ticket came before it
  const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(SSL_get1_session(client_->ssl()),
                                                                          &SSL_SESSION_free);
  ASSERT_EQ(SSL_SESSION_is_resumable(session.get()), 1);
  SSL_shutdown(client_->ssl());  // OpenSSL forgets the session of a connection that is not closed
  ASSERT_EQ(meet({.resume = session.get()}), "");
  EXPECT_EQ(SSL_session_reused(client_->ssl()), 1);
  EXPECT_TRUE(facts().channel_bindings.at("tls-exporter") == client_->exporter());
}

TEST_F(TlsTest, a_reload_serves_new_connections_and_leaves_live_ones) {
  server_ = std::make_unique<Recorder>(shard_);
  ASSERT_EQ(meet({}), "");
  const std::string before = served_hash();
  std::unique_ptr<Recorder> live = std::move(server_);
  std::unique_ptr<TlsClient> live_client = std::move(client_);
  live->react = echo;

  std::filesystem::remove(certificates_.directory.path() / "example.org.crt");
  std::filesystem::remove(certificates_.directory.path() / "example.org.key");
  ASSERT_TRUE(create_self_signed(certificates_.directory.path(), "example.org", {}, certificates_.clock));
  EXPECT_TRUE(certificates_.store.reload().empty());

  ASSERT_EQ(meet({}), "");
  EXPECT_TRUE(served_hash() != before);
  ASSERT_TRUE(live_client->write("still here"));
  EXPECT_EQ(live_client->read_exactly(10), "still here");
}

TEST_F(TlsTest, garbage_instead_of_a_client_hello_fails) {
  SocketPair pair = tcp_pair();
  server_ = std::make_unique<Recorder>(shard_);
  server_->begin(std::move(pair.server), settings_, Begin::tls);
  const std::string_view http = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_GT(::send(pair.client.get(), http.data(), http.size(), MSG_NOSIGNAL), 0);
  ASSERT_TRUE(server_->wait_closed());
  EXPECT_EQ(server_->closed(), CloseReason::tls_failed);
  EXPECT_EQ(server_->failure, "http request");
}

}  // namespace
}  // namespace kith::net::testing
