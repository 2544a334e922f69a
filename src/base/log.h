/* The log: events with a level, a fixed name and fields.
 *
 *     log_event(LOG_LEVEL_INFO, "taxii.posted", "collection=%s objects=%zu", id, count);
 *
 * The name is what people search and count.  Levels say who must act: error
 * someone now, warn someone this week, info no one, debug us.  Never keys, tokens or
 * object content; ids are fine.
 *
 * An event that repeats is written once and then counted: the same name with the same
 * fields, and any more than LOG_NAME_LINES_MAX lines of one name, wait for the next
 * line of that name after LOG_REPEAT_INTERVAL_S, which says "repeated=N".
 */
#pragma once

#include "base/result.h"
#include "base/slice.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_form { LOG_FORM_TEXT, LOG_FORM_JSON, LOG_FORM_JOURNAL };

#define LOG_REPEAT_INTERVAL_S 10
#define LOG_NAME_LINES_MAX 50 /* of one name within the interval */
#define LOG_LINE_BYTES_MAX 4096

void log_set(enum log_level least, enum log_form form); /* default: info, text on stderr */

/* The words of the settings log_level and log_form; false for any other. */
bool log_level_parse(slice word, enum log_level *out);
bool log_form_parse(slice word, enum log_form *out);

/* name: a literal.  fields: "name=value name=value ...", a format literal; names and the gaps
 * between fields are read from the format, so a value cannot forge a field.  Values are quoted
 * where they need it (quotes around a value in the format are not needed and taken away), and what
 * is not printable is escaped.  In JSON every value is a string. */
void log_event(enum log_level level, const char *name, const char *fields, ...) PRINTF_LIKE(3, 4);

/* Write the counts that still wait, as a server does before it ends. */
void log_flush(void);
