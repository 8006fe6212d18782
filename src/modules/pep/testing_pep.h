// An account with nodes on the stage, its contacts and strangers, and what they ask. Not part of the program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "module/testing_scene.h"
#include "modules/delivery/delivery.h"
#include "modules/disco/disco.h"
#include "modules/pep/pep.h"
#include "modules/presence/presence.h"
#include "modules/roster/roster.h"
#include "modules/subscription/subscription.h"
#include "xmpp/caps.h"

namespace kith::modules::pep::testing {

using module::Session;
using module::testing::element;
using module::testing::Scene;
using xmpp::Subscription;

inline constexpr std::string_view tune = "http://jabber.org/protocol/tune";

/// A client's answer to disco#info, and the presence that stands for it.
struct Client {
  std::string query;
  std::string presence;

  static Client with(const std::vector<std::string>& features) {
    std::string query = "<query xmlns='http://jabber.org/protocol/disco#info' node='urn:c#@'>";
    for (const std::string& feature : features) query += "<feature var='" + feature + "'/>";
    query += "</query>";
    const std::string ver = xmpp::caps_hash(element(query)).value();
    query.replace(query.find('@'), 1, ver);
    return {query, "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:c' ver='" + ver +
                       "'/></presence>"};
  }
};

class PepTest : public ::testing::Test {
 protected:
  PepTest() {
    scene.stage.use<RosterFeature>();
    scene.stage.use<SubscriptionFeature>();
    scene.stage.use<PresenceFeature>();
    scene.stage.use<DeliveryFeature>();
    scene.stage.use<Disco>();
    scene.stage.use<Pep>();
    scene.stage.account("juliet@capulet.lit");
    scene.stage.account("romeo@capulet.lit");
    scene.stage.account("tybalt@capulet.lit");
    scene.stage.subscribe("juliet@capulet.lit", "romeo@capulet.lit", Subscription::both);
    scene.stage.subscribe("romeo@capulet.lit", "juliet@capulet.lit", Subscription::both);
  }
  /// Comes online as `client`, and answers what it is asked.
  Session& comes(std::string_view full, const Client& client) {
    Session& session = scene.bind(full);
    scene.says(session, client.presence);
    answer_questions(session, client);
    return session;
  }
  std::size_t answer_questions(Session& session, const Client& client) {
    std::size_t asked = 0;
    std::vector<std::string> rest;
    for (const std::string& line : scene.got(session)) {
      const auto stanza = module::testing::stanza(line);
      const bool question = stanza.type() == xmpp::StanzaType::get && stanza.payload()->ns() == xmpp::ns::disco_info;
      if (!question) {
        rest.push_back(line);
        continue;
      }
      ++asked;
      scene.says(session, "<iq type='result' id='" + std::string(stanza.id()) + "' to='" + stanza.from()->text() +
                              "'>" + client.query + "</iq>");
    }
    before_answers = rest;
    return asked;
  }
  std::string ask(Session& session, std::string_view type, const std::string& payload, std::string_view to = {}) {
    scene.says(session, "<iq type='" + std::string(type) + "' id='q'" +
                            (to.empty() ? std::string() : " to='" + std::string(to) + "'") + ">" + payload + "</iq>");
    std::string answer;
    std::vector<std::string> others;
    for (std::string& line : scene.got(session)) {
      if (line.starts_with("<iq ") && line.find("id='q'") != std::string::npos) {
        answer = std::move(line);
      } else {
        others.push_back(std::move(line));
      }
    }
    events = others;
    return answer;
  }
  std::string publish(Session& session, const std::string& item, std::string_view node = tune,
                      const std::string& options = {}, std::string_view to = {}) {
    return ask(session, "set",
               "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='" + std::string(node) + "'>" + item +
                   "</publish>" +
                   (options.empty() ? ""
                                    : "<publish-options><x xmlns='jabber:x:data' type='submit'><field "
                                      "var='FORM_TYPE' type='hidden'><value>"
                                      "http://jabber.org/protocol/pubsub#publish-options</value></field>" +
                                          options + "</x></publish-options>") +
                   "</pubsub>",
               to);
  }
  std::string items(Session& session, std::string_view to, std::string_view node = tune) {
    return ask(session, "get",
               "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='" + std::string(node) + "'/></pubsub>",
               to);
  }
  static std::string field(std::string_view var, std::string_view value) {
    return "<field var='pubsub#" + std::string(var) + "'><value>" + std::string(value) + "</value></field>";
  }
  static bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
  static std::size_t count(const std::vector<std::string>& lines, std::string_view part) {
    std::size_t found = 0;
    for (const std::string& line : lines) found += line.find(part) != std::string::npos ? 1 : 0;
    return found;
  }
  /// What somebody of another server asks, and what he is answered.
  std::string ask_from_afar(const std::string& from, std::string_view type, const std::string& payload) {
    scene.outside.clear();
    scene.stage.dispatch(module::testing::stanza("<iq type='" + std::string(type) + "' id='q' from='" + from +
                                                 "' to='juliet@capulet.lit'>" + payload + "</iq>"),
                         nullptr);
    scene.settle();
    return scene.outside.empty() ? std::string() : scene.outside.front();
  }
  static std::string pubsub(const std::string& inner) {
    return "<pubsub xmlns='http://jabber.org/protocol/pubsub'>" + inner + "</pubsub>";
  }
  static std::string owner_pubsub(const std::string& inner) {
    return "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>" + inner + "</pubsub>";
  }
  static std::string submitted(const std::string& fields) {
    return "<x xmlns='jabber:x:data' type='submit'>" + fields + "</x>";
  }
  /// True if `answer` is that error; `specific` is of pubsub#errors.
  static bool fails(const std::string& answer, const std::string& type, const std::string& condition,
                    const std::string& specific = {}) {
    return has(answer, "type='error'") && has(answer, "<error type='" + type + "'") &&
           has(answer, "<" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>") &&
           (specific.empty() || has(answer, "<" + specific + " xmlns='http://jabber.org/protocol/pubsub#errors'"));
  }
  module::NodeList& nodes(std::string_view account = "juliet@capulet.lit") {
    return scene.stage.account(account).nodes();
  }

  Scene scene;
  Client listener = Client::with({std::string(tune) + "+notify", "urn:x"});
  Client deaf = Client::with({"urn:x"});
  std::vector<std::string> events;
  std::vector<std::string> before_answers;
  static constexpr const char* song = "<item id='1'><tune xmlns='http://jabber.org/protocol/tune'>a</tune></item>";
};

}  // namespace kith::modules::pep::testing
