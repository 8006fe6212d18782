#include "modules/bookmarks/lists.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

namespace {

using Elements = std::vector<xml::Element>;

bool own_attribute(const xml::Attribute& attribute) {
  return attribute.ns.view().empty() && (attribute.name == "name" || attribute.name == "autojoin");
}

bool is_true(std::optional<std::string_view> autojoin) { return autojoin == "true" || autojoin == "1"; }

bool alike(const xml::Element& one, const xml::Element& other) { return one.is(other.name(), other.ns()); }

/// A text child of a conference: nick, password.
void update_text(xml::Element& conference, const xml::Element& listed, std::string_view name) {
  const xml::Element* now = listed.child(name, ns_bookmark_list);
  const xml::Element* before = conference.child(name, xmpp::ns::bookmarks);
  if (now != nullptr && before != nullptr && now->text() == before->text()) return;
  conference.remove_children([&](const xml::Element& child) { return child.is(name, xmpp::ns::bookmarks); });
  if (now != nullptr && !now->text().empty()) conference.add_text_child(name, now->text());
}

/// What a list's conference has beside what every client knows.
Elements unknown_in(const xml::Element& listed) {
  Elements unknown;
  listed.for_each_child([&](const xml::Element& child) {
    if (child.is("nick", ns_bookmark_list) || child.is("password", ns_bookmark_list)) return;
    if (child.name() == "extensions" && (child.ns() == xmpp::ns::bookmarks || child.ns() == ns_bookmark_list)) {
      child.for_each_child([&](const xml::Element& extension) { unknown.push_back(extension); });
    } else {
      unknown.push_back(child);
    }
  });
  return unknown;
}

Elements alike_in(const Elements& all, const xml::Element& one) {
  Elements found;
  std::ranges::copy_if(all, std::back_inserter(found), [&](const xml::Element& other) { return alike(one, other); });
  return found;
}

Elements children_of(const xml::Element* parent) {
  Elements children;
  if (parent != nullptr) parent->for_each_child([&](const xml::Element& child) { children.push_back(child); });
  return children;
}

void update_extensions(xml::Element& conference, const Elements& unknown) {
  const Elements before = children_of(conference.child("extensions", xmpp::ns::bookmarks));
  const Elements beside = children_of(&conference);
  Elements now = before;
  Elements done;
  for (const xml::Element& one : unknown) {
    if (!alike_in(done, one).empty()) continue;
    done.push_back(one);
    const Elements wanted = alike_in(unknown, one);
    if (wanted == alike_in(before, one) || wanted == alike_in(beside, one)) continue;
    std::erase_if(now, [&](const xml::Element& other) { return alike(one, other); });
    std::ranges::copy(wanted, std::back_inserter(now));
  }
  if (now == before) return;
  conference.remove_children([](const xml::Element& child) { return child.is("extensions", xmpp::ns::bookmarks); });
  xml::Element& extensions = conference.append_child(xml::Element("extensions", xmpp::ns::bookmarks));
  for (xml::Element& one : now) extensions.add(std::move(one));
}

}  // namespace

std::optional<std::string> bookmark_key(std::string_view text) {
  const std::optional<xmpp::Jid> jid = xmpp::Jid::parse(text);
  if (!jid || !jid->is_bare()) return std::nullopt;
  return jid->text();
}

std::optional<std::string> bookmark_key(const xml::Element& listed) {
  if (!listed.is("conference", ns_bookmark_list)) return std::nullopt;
  return bookmark_key(listed.attribute("jid").value_or(""));
}

xml::Element listed_bookmark(std::string_view jid, const xml::Element& conference) {
  xml::Element listed("conference", ns_bookmark_list);
  listed.set("jid", std::string(jid));
  for (const xml::Attribute& attribute : conference.attributes()) {
    if (attribute.ns.view().empty() && attribute.name == "jid") continue;
    listed.set(attribute.name, attribute.ns, attribute.value);
  }
  conference.for_each_child([&](const xml::Element& child) {
    // Where clients that know only lists have always put their own: beside nick and password.
    if (child.is("extensions", xmpp::ns::bookmarks)) {
      child.for_each_child([&](const xml::Element& extension) { listed.add(extension); });
      return;
    }
    xml::Element moved = child;
    if (child.is("nick", xmpp::ns::bookmarks) || child.is("password", xmpp::ns::bookmarks)) {
      moved.replace_namespace(xmpp::ns::bookmarks, ns_bookmark_list);
    }
    listed.add(std::move(moved));
  });
  return listed;
}

xml::Element updated_bookmark(const xml::Element& conference, const xml::Element& listed) {
  xml::Element updated = conference;
  const auto name = listed.attribute("name");
  if (name && !name->empty()) {
    updated.set("name", std::string(*name));
  } else {
    updated.unset("name");
  }
  const auto autojoin = listed.attribute("autojoin");
  if (is_true(autojoin) != is_true(updated.attribute("autojoin"))) {
    if (is_true(autojoin)) {
      updated.set("autojoin", "true");
    } else {
      updated.unset("autojoin");
    }
  }
  for (const xml::Attribute& attribute : listed.attributes()) {
    if (own_attribute(attribute) || (attribute.ns.view().empty() && attribute.name == "jid")) continue;
    updated.set(attribute.name, attribute.ns, attribute.value);
  }
  update_text(updated, listed, "nick");
  update_text(updated, listed, "password");
  update_extensions(updated, unknown_in(listed));
  return updated;
}

}  // namespace kith::modules
