#include "module/command.h"

#include "xmpp/namespaces.h"

namespace kith::module {

void CommandRequest::result(std::optional<xml::Element> form, std::string_view note) {
  xml::Element command("command", xmpp::ns::commands);
  command.set("node", node_).set("sessionid", session_id_).set("status", "completed");
  if (!note.empty()) {
    xml::Element sentence("note", xmpp::ns::commands);
    sentence.set("type", "info").add_text(std::string(note));
    command.add(std::move(sentence));
  }
  if (form) command.add(*std::move(form));
  request_.reply(std::move(command));
}

}  // namespace kith::module
