#include "json/simdjson_shim.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <new>

#include <simdjson.h>

using implementation = simdjson::internal::dom_parser_implementation;

/* Capacity is rounded up so that texts of growing size do not each make a new table. */
static constexpr size_t CAPACITY_BYTES_MIN = 1 << 16;
static constexpr size_t CAPACITY_BYTES_MAX = 0xFFFFFFFF;

struct json_index {
    std::unique_ptr<implementation> parser;
    size_t capacity_bytes = 0;
};

extern "C" struct json_index *json_index_new(void)
{
    return new (std::nothrow) json_index;
}

extern "C" void json_index_free(struct json_index *index)
{
    delete index;
}

/* After a failed allocation simdjson's parser is unusable, so it is always made anew. */
static bool capacity_make(struct json_index *index, size_t bytes)
{
    std::unique_ptr<implementation> made;

    index->parser.reset();
    index->capacity_bytes = 0;
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(bytes, 1, made) !=
        simdjson::SUCCESS)
        return false;
    index->parser = std::move(made);
    index->capacity_bytes = bytes;
    return true;
}

static bool capacity_reach(struct json_index *index, size_t bytes)
{
    if (bytes <= index->capacity_bytes)
        return true;
    if (bytes > CAPACITY_BYTES_MAX)
        return false;
    size_t roomy = std::min(std::max({bytes + bytes / 2, CAPACITY_BYTES_MIN}), CAPACITY_BYTES_MAX);
    return capacity_make(index, roomy) || capacity_make(index, bytes);
}

extern "C" enum json_index_state json_index_make(struct json_index *index, const char *text,
                                                 size_t len, const uint32_t **positions,
                                                 size_t *count)
{
    if (!capacity_reach(index, len))
        return JSON_INDEX_NO_MEMORY;
    auto error = index->parser->stage1(reinterpret_cast<const uint8_t *>(text), len,
                                       simdjson::stage1_mode::regular);
    *positions = index->parser->structural_indexes.get();
    *count = index->parser->n_structural_indexes;
    switch (error) {
    case simdjson::SUCCESS:
        return JSON_INDEX_READY;
    case simdjson::EMPTY:
        return JSON_INDEX_EMPTY;
    case simdjson::UTF8_ERROR:
        return JSON_INDEX_BAD_UTF8;
    case simdjson::UNESCAPED_CHARS:
        return JSON_INDEX_CONTROL;
    case simdjson::UNCLOSED_STRING:
        return JSON_INDEX_UNCLOSED;
    default:
        return JSON_INDEX_BROKEN;
    }
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* from_chars says "out of range" for the very large and the very small alike.  Such a number is
 * beyond 10^308 or below 10^-323, so the sign of its decimal exponent tells which. */
static bool is_huge(const char *at, const char *end)
{
    long long magnitude = 0, written = 0;
    bool leading = true, point = false;

    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.')
            point = true;
        if (!is_digit(*at))
            continue;
        leading = leading && *at == '0';
        if (leading ? point : !point)
            magnitude += point ? -1 : 1;
    }
    if (at == end)
        return magnitude > 0;
    bool negative = ++at < end && *at == '-';
    for (; at < end; at++)
        if (is_digit(*at))
            written = std::min(written * 10 + (*at - '0'), 1LL << 40);
    return magnitude + (negative ? -written : written) > 0;
}

extern "C" int json_number_read(const char *text, size_t len, double *out)
{
    double value = 0;
    auto read = std::from_chars(text, text + len, value);

    if (read.ec == std::errc::result_out_of_range) {
        if (is_huge(text, text + len))
            return 1;
        value = 0;
    }
    *out = value;
    return 0;
}

extern "C" size_t json_number_digits(double value, char digits[JSON_NUMBER_DIGITS_MAX],
                                     int *exponent)
{
    char text[32];
    auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
    auto e = std::find(text, end, 'e');
    size_t count = 0;

    for (const char *at = text; at < e; at++)
        if (is_digit(*at) && count < JSON_NUMBER_DIGITS_MAX)
            digits[count++] = *at;
    *exponent = 0;
    /* from_chars reads a minus, no plus */
    (void)std::from_chars(e + (e[1] == '+' ? 2 : 1), end, *exponent);
    *exponent += 1;
    return count;
}
