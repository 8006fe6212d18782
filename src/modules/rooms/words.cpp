#include "modules/rooms/words.h"

#include <array>
#include <utility>

namespace kith::modules::muc {

using xmpp::Condition;
using xmpp::StanzaError;

namespace {

constexpr std::array<std::pair<Affiliation, std::string_view>, 5> affiliations{{{Affiliation::outcast, "outcast"},
                                                                                {Affiliation::none, "none"},
                                                                                {Affiliation::member, "member"},
                                                                                {Affiliation::admin, "admin"},
                                                                                {Affiliation::owner, "owner"}}};
constexpr std::array<std::pair<Role, std::string_view>, 4> roles{{{Role::none, "none"},
                                                                  {Role::visitor, "visitor"},
                                                                  {Role::participant, "participant"},
                                                                  {Role::moderator, "moderator"}}};

}  // namespace

std::string_view wire_word(Affiliation affiliation) {
  return affiliations[static_cast<std::size_t>(affiliation)].second;
}
std::string_view wire_word(Role role) { return roles[static_cast<std::size_t>(role)].second; }

std::optional<Affiliation> affiliation_from(std::string_view word) {
  for (const auto& [value, text] : affiliations) {
    if (text == word) return value;
  }
  return std::nullopt;
}

std::optional<Role> role_from(std::string_view word) {
  for (const auto& [value, text] : roles) {
    if (text == word) return value;
  }
  return std::nullopt;
}

std::optional<StanzaError> refusal_of_role(Standing actor, Standing subject, Role wanted) {
  if (actor.role != Role::moderator) return StanzaError::of(Condition::forbidden);
  // §8.2, §9.7: nobody takes from those above him.
  if (subject.affiliation > actor.affiliation) return StanzaError::of(Condition::not_allowed);
  // §9.6, §9.7: moderators are made and unmade by admins and owners.
  const bool concerns_moderator = wanted == Role::moderator || subject.role == Role::moderator;
  if (concerns_moderator && actor.affiliation < Affiliation::admin)
    return StanzaError::of(wanted == Role::moderator ? Condition::forbidden : Condition::not_allowed);
  // §5.1.2: admins and owners are moderators as long as they are there.
  const bool lowered = wanted != Role::moderator && wanted != Role::none;
  if (subject.affiliation >= Affiliation::admin && lowered) return StanzaError::of(Condition::not_allowed);
  return std::nullopt;
}

std::optional<StanzaError> refusal_of_affiliation(Affiliation actor, Affiliation has, Affiliation wanted) {
  if (actor < Affiliation::admin) return StanzaError::of(Condition::forbidden);
  if (actor == Affiliation::owner) return std::nullopt;
  // §10: admins and owners are an owner's affair. §9.1: whoever tries to ban one is told that it is not allowed.
  if (wanted >= Affiliation::admin) return StanzaError::of(Condition::forbidden);
  if (has >= Affiliation::admin) return StanzaError::of(Condition::not_allowed);
  return std::nullopt;
}

xmpp::StanzaError too_fast() {
  return {xmpp::ErrorType::wait, xmpp::Condition::resource_constraint, "Too fast. Try again."};
}

}  // namespace kith::modules::muc
