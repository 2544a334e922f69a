/* The log: events with a level, a fixed name and fields.
 *
 *     log_event(LOG_LEVEL_INFO, "taxii.posted", "collection=%s objects=%zu", id, count);
 *
 * The name is what people search and count.  Levels say who must act: error
 * someone now, warn someone this week, info no one, debug us.  Never keys, tokens or
 * object content; ids are fine.  An event that repeats is written once and then
 * counted: at most one line per name and LOG_REPEAT_INTERVAL_S, with "repeated=N".
 */
#pragma once

#include "base/result.h"
#include "base/slice.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_form { LOG_FORM_TEXT, LOG_FORM_JSON, LOG_FORM_JOURNAL };

#define LOG_REPEAT_INTERVAL_S 10
#define LOG_LINE_BYTES_MAX 4096

void log_set(enum log_level least, enum log_form form); /* default: info, text on stderr */

/* fields: "name=value name=value ..."; a value with spaces is written in quotes by the
 * caller ("title=\"%s\"").  Bytes that are not printable are escaped. */
void log_event(enum log_level level, const char *name, const char *fields, ...) PRINTF_LIKE(3, 4);
