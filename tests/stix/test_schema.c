#include "rows.h"
#include "stix/schema.h"

static const enum stix_spec specs[] = {STIX_20, STIX_21};
static const uint8_t in[] = {[STIX_20] = IN_20, [STIX_21] = IN_21};

static int setup(void **state)
{
    (void)state;
    schema_start();
    return 0;
}

static void every_property_is_found_in_its_version_and_in_no_other(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPE_COUNT; s++) {
        const struct shape *shape = &shapes[s];

        assert_int_equal(shape->id, s);
        for (size_t i = 0; i < shape->count; i++) {
            for (size_t v = 0; v < 2; v++) {
                const struct property *p = &shape->properties[i];
                int found = schema_property(shape, specs[v], p->name);

                if ((p->when & in[v]) != 0)
                    assert_int_equal(found, (int)i);
                else /* another row may hold the name for that version */
                    assert_true(found < 0 || (shape->properties[found].when & in[v]) != 0);
            }
        }
    }
}

static void names_that_are_no_property_are_not_found(void **state)
{
    static const slice strangers[] = {S(""), S("x"), S("nam"), S("names"), S("NAME"), S("typ")};

    (void)state;
    for (size_t s = 0; s < SHAPE_COUNT; s++) {
        for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
            assert_int_equal(schema_property(&shapes[s], STIX_21, strangers[i]), -1);
    }
}

static void every_type_is_found_and_parts_are_no_types(void **state)
{
    size_t types = 0, observables = 0;

    (void)state;
    for (size_t s = 0; s < SHAPE_COUNT; s++) {
        const struct shape *found = schema_type(shapes[s].name);

        if (shapes[s].role != SHAPE_IS_TYPE) {
            assert_null(found);
            continue;
        }
        assert_ptr_equal(found, &shapes[s]);
        assert_true(stix_type_valid(shapes[s].name));
        types++;
        observables += shapes[s].class == STIX_SCO;
    }
    assert_int_equal(types, 19 + 2 + 18 + 4);
    assert_int_equal(observables, 18);
    assert_null(schema_type(SLICE("")));
    assert_null(schema_type(SLICE("x-anything")));
}

static void extensions_belong_to_their_type(void **state)
{
    (void)state;
    const struct shape *file = schema_type(SLICE("file"));
    assert_non_null(schema_extension(file, SLICE("ntfs-ext")));
    assert_null(schema_extension(file, SLICE("tcp-ext")));
    assert_null(schema_extension(file, SLICE("file")));
    assert_null(schema_extension(schema_type(SLICE("process")), SLICE("ntfs-ext")));
}

/* What a row of the table promises has to be there for the check. */
static void rows_are_whole(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPE_COUNT; s++) {
        for (size_t i = 0; i < shapes[s].count; i++) {
            const struct property *p = &shapes[s].properties[i];

            assert_true((p->when & (IN_20 | IN_21)) != 0);
            assert_true((p->when & MUST_20) == 0 || (p->when & IN_20) != 0);
            assert_true((p->when & MUST_21) == 0 || (p->when & IN_21) != 0);
            assert_int_equal(p->kind == KIND_REF, p->targets != NULL);
            assert_int_equal(p->kind == KIND_OPEN || p->kind == KIND_ENUM, p->vocab != NULL);
            if (p->kind == KIND_REF && !p->is_list)
                assert_true(slice_ends(p->name, SLICE("_ref")));
            if (p->kind == KIND_REF && p->is_list)
                assert_true(slice_ends(p->name, SLICE("_refs")));
            if (p->syntax == SYNTAX_HEX)
                assert_true(slice_ends(p->name, SLICE("_hex")));
            if (p->use == USE_VALUE)
                assert_true(slice_ends(schema_path(&shapes[s], p), p->name));
        }
    }
}

static void required_bits_are_those_of_the_rows(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPE_COUNT; s++) {
        for (size_t i = 0; i < shapes[s].count; i++) {
            uint8_t when = shapes[s].properties[i].when;

            assert_int_equal(schema_required(&shapes[s], STIX_20) >> i & 1, (when & MUST_20) != 0);
            assert_int_equal(schema_required(&shapes[s], STIX_21) >> i & 1, (when & MUST_21) != 0);
        }
    }
}

static const struct {
    const char *name;
    slice type, property, target;
    bool allowed;
} references[] = {
    {"creator", S("tool"), S("created_by_ref"), S("identity"), true},
    {"creator that is none", S("tool"), S("created_by_ref"), S("tool"), false},
    {"any object", S("report"), S("object_refs"), S("relationship"), true},
    {"any custom object", S("report"), S("object_refs"), S("x-thing"), true},
    {"a bundle is no object", S("report"), S("object_refs"), S("bundle"), false},
    {"source", S("relationship"), S("source_ref"), S("ipv4-addr"), true},
    {"source that is a relationship", S("relationship"), S("source_ref"), S("sighting"), false},
    {"source that is a marking", S("relationship"), S("source_ref"), S("marking-definition"),
     false},
    {"sighting of an observable", S("sighting"), S("sighting_of_ref"), S("file"), false},
    {"sighting of a custom object", S("sighting"), S("sighting_of_ref"), S("x-thing"), true},
    {"observable", S("file"), S("contains_refs"), S("url"), true},
    {"no observable", S("file"), S("contains_refs"), S("tool"), false},
};

static void references_point_to_types_they_may(void **state)
{
    (void)state;
    CHECK_ROWS(row, references) {
        const struct shape *shape = schema_type(row->type);
        int index = schema_property(shape, STIX_21, row->property);

        assert_true(index >= 0);
        assert_int_equal(targets_allow(shape->properties[index].targets, row->target),
                         row->allowed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_property_is_found_in_its_version_and_in_no_other),
        cmocka_unit_test(names_that_are_no_property_are_not_found),
        cmocka_unit_test(every_type_is_found_and_parts_are_no_types),
        cmocka_unit_test(extensions_belong_to_their_type),
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(required_bits_are_those_of_the_rows),
        cmocka_unit_test(references_point_to_types_they_may),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
