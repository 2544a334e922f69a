/* An alert, as SIEMs read it: CEF and LEEF in a syslog message, JSON for a webhook.
 *
 * Texts come from outside (an indicator's name, a value); in each form they stay in their field.
 */
#pragma once

#include "base/buf.h"
#include "formats/out.h"

struct alert {
    slice id, indicator, name, pattern; /* the sighting's id, the indicator's; texts may be empty */
    slice first_seen, last_seen;        /* as STIX has them; may be empty */
    int64_t last_us;                    /* INT64_MIN: not known */
    uint64_t count;
    int confidence; /* -1: none */
    bool has_value; /* of a pattern of one value */
    enum out_kind kind;
    slice value;
};

/* 0 to 10: by confidence, 5 where none is said. */
unsigned alert_severity(const struct alert *alert);

void alert_cef(const struct alert *alert, struct buf *out);
void alert_leef(const struct alert *alert, struct buf *out);
void alert_json(const struct alert *alert, slice node, struct buf *out);

/* RFC 5424 around a text, without framing.  host: of this machine. */
void alert_syslog(const struct alert *alert, slice host, slice text, struct buf *out);
