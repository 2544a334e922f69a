/* The seam to C++: simdjson's index of a text, and the standard library's exact number
 * conversions.  Nothing of C++ passes it; only src/json includes it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Holds the memory of one index; used again and again. */
struct json_index;

enum json_index_state {
    JSON_INDEX_READY,
    JSON_INDEX_NO_MEMORY,
    JSON_INDEX_EMPTY,    /* white space only */
    JSON_INDEX_BAD_UTF8, /* somewhere */
    JSON_INDEX_CONTROL,  /* an unescaped control character in a string */
    JSON_INDEX_UNCLOSED, /* a string that never ends */
    JSON_INDEX_BROKEN,   /* none of these: a defect of the library */
};

/* NULL when memory is out. */
struct json_index *json_index_new(void);
void json_index_free(struct json_index *index);

/* Find the first byte of every token of text: brackets, colons, commas, opening quotes, first
 * bytes of numbers and words; UTF-8 and control characters in strings are checked on the way.
 * positions[count] is len.  Borrowed until the next call. */
enum json_index_state json_index_make(struct json_index *index, const char *text, size_t len,
                                      const uint32_t **positions, size_t *count);

/* The double nearest to a JSON number's text; 1 when it is over the range of doubles, else 0.
 * What is too small for a double is 0. */
int json_number_read(const char *text, size_t len, double *out);

#define JSON_NUMBER_DIGITS_MAX 17

/* The fewest decimal digits that read back as value, which is finite and over 0:
 * value = 0.DIGITS * 10^*exponent.  Returns how many digits. */
size_t json_number_digits(double value, char digits[JSON_NUMBER_DIGITS_MAX], int *exponent);

#ifdef __cplusplus
}
#endif
