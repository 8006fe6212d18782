// The list of all features, one line each. Within a phase, handlers run in this order.
#include "modules/all.h"

#include <array>

#include "modules/archive/archive.h"
#include "modules/blocking/blocking.h"
#include "modules/bookmarks/bookmarks.h"
#include "modules/carbons/carbons.h"
#include "modules/client_access/client_access.h"
#include "modules/client_state/client_state.h"
#include "modules/commands/commands.h"
#include "modules/contact_addresses/contact_addresses.h"
#include "modules/delivery/delivery.h"
#include "modules/disco/disco.h"
#include "modules/displayed_sync/displayed_sync.h"
#include "modules/external_services/external_services.h"
#include "modules/forgery/forgery.h"
#include "modules/host_meta/host_meta.h"
#include "modules/iq_answers/iq_answers.h"
#include "modules/last_activity/last_activity.h"
#include "modules/offline/offline.h"
#include "modules/pep/pep.h"
#include "modules/ping/ping.h"
#include "modules/presence/presence.h"
#include "modules/private_xml/private_xml.h"
#include "modules/push/push.h"
#include "modules/registration/registration.h"
#include "modules/rooms/rooms.h"
#include "modules/roster/roster.h"
#include "modules/session_request/session_request.h"
#include "modules/subscription/subscription.h"
#include "modules/time/time.h"
#include "modules/upload/upload.h"
#include "modules/vcard/vcard.h"
#include "modules/version/version.h"

namespace kith::modules {

std::span<const module::Registration> all() {
  static constexpr std::array features{
      module::registration<Forgery>(),
      module::registration<IqAnswers>(),
      module::registration<DisplayedSync>(),
      module::registration<RosterFeature>(),
      module::registration<SubscriptionFeature>(),
      module::registration<PresenceFeature>(),
      module::registration<Archive>(),
      module::registration<Blocking>(),
      module::registration<Carbons>(),
      // Before delivery: what is kept goes before what is live.
      module::registration<OfflineFeature>(),
      module::registration<DeliveryFeature>(),
      // After delivery: who has it already is not woken.
      module::registration<Push>(),
      module::registration<Disco>(),
      module::registration<Commands>(),
      module::registration<ContactAddresses>(),
      module::registration<ExternalServices>(),
      module::registration<HostMeta>(),
      module::registration<Ping>(),
      module::registration<Version>(),
      module::registration<Time>(),
      module::registration<LastActivity>(),
      module::registration<Bookmarks>(),
      module::registration<Pep>(),
      module::registration<PrivateXml>(),
      module::registration<Vcard>(),
      module::registration<Registration>(),
      module::registration<SessionRequest>(),
      module::registration<ClientState>(),
      module::registration<ClientAccess>(),
      module::registration<Rooms>(),
      module::registration<Upload>(),
  };
  return features;
}

}  // namespace kith::modules
