// kithd's answers as text for people: aligned tables, times in words. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"

namespace kith::ctl {

/// Columns as wide as their widest cell, two spaces apart; the first row is the heading.
std::string show_table(const std::vector<std::vector<std::string>>& rows);
/// "just now", "3 minutes ago", "2 days ago"; the day itself when it is more than eight weeks away. `stamp` is a
/// date-time of the API; what is not one is shown as it is.
std::string show_moment(std::string_view stamp, WallTime now);
/// "3 hours", "2 days": how long something lasts.
std::string show_span(Duration span);

/// Each takes the body of a successful answer; what is missing in it is left out.
std::string show_status(const nlohmann::json& body, WallTime now);
std::string show_users(const nlohmann::json& body, WallTime now);
std::string show_sessions(const nlohmann::json& body, WallTime now);
std::string show_clients(const nlohmann::json& body, WallTime now);
std::string show_pushes(const nlohmann::json& body);
std::string show_federation(const nlohmann::json& body);
/// The steps on the way to another server, and what that comes to.
std::string show_check(const nlohmann::json& body, const std::string& domain);
std::string show_retry(const nlohmann::json& body, const std::string& domain);
/// Whether the last step of such a way was a good one.
bool is_reached(const nlohmann::json& body);
std::string show_doctor(const nlohmann::json& body);
std::string show_rooms(const nlohmann::json& body);
std::string show_uploads(const nlohmann::json& body, WallTime now);
std::string show_room(const nlohmann::json& body);
std::string show_reload(const nlohmann::json& body);

}  // namespace kith::ctl
