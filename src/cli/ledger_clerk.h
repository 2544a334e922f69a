/* What a serving node does for its ledger by itself: sign heads while the log grows, and have them
 * cosigned.  One thread, so that a slow witness holds nobody up. */
#pragma once

#include "base/config.h"
#include "ledger/cosign.h"

struct clerk;

/* ERR_INVALID for settings that name no witnesses. */
MUST_USE result clerk_start(const struct ledger *ledger, const struct config *config,
                            struct clerk **out, struct diag *diag);
MUST_USE result clerk_configure(struct clerk *clerk, const struct config *config,
                                struct diag *diag);
void clerk_stop(struct clerk **clerk); /* signs what is new first */
