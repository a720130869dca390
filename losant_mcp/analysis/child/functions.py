"""The functions that a statement may call; every other name is refused.

A list of what is allowed, reviewed name by name for DuckDB 2.0, so that a function which a newer
DuckDB brings is refused until somebody has looked at it. Left out is what

- reads files, the network or the environment, or runs SQL that it is given as text
  (``read_csv``, ``glob``, ``query``, ``json_execute_serialized_sql``),
- tells of the engine, its settings or its catalogue (``current_setting``, ``duckdb_*``, ``pg_*``),
- changes state or waits (``nextval``, ``setseed``, ``write_log``, ``sleep_ms``),
- says in an error whatever a cell says (``error``, ``assert_true``),
- works on the engine's own inner forms (aggregate states, sort keys, serialised types), where an
  argument that nobody thought of ends the process,
- has no use for rows and events (geometry, ``VARIANT``, file paths).

None of them can be reached through one that is allowed: those that take a function's name as
text, such as ``list_aggregate``, look among aggregates only.
"""

from __future__ import annotations

TABLE_FUNCTIONS = frozenset(("range", "generate_series", "unnest", "json_each", "json_tree"))
"""What may stand in FROM with parentheses."""

_JSON = """
array_to_json from_json from_json_strict json json_array json_array_length json_contains
json_deep_merge json_exists json_extract json_extract_path json_extract_path_text
json_extract_string json_group_array json_group_object json_group_structure json_insert
json_keys json_merge_patch json_merge_patch_diff json_normalize json_object json_pretty
json_quote json_remove json_replace json_set json_strip_nulls json_structure json_transform
json_transform_strict json_type json_valid json_value row_to_json to_json
"""

_LISTS = """
apply array_aggr array_aggregate array_append array_apply array_cat array_concat array_contains
array_cosine_distance array_cosine_similarity array_cross_product array_distance array_distinct
array_dot_product array_extract array_filter array_grade_up array_has array_has_all
array_has_any array_indexof array_inner_product array_intersect array_length
array_negative_dot_product array_negative_inner_product array_pop_back array_pop_front
array_position array_prepend array_push_back array_push_front array_reduce array_resize
array_reverse array_reverse_sort array_select array_slice array_sort array_to_string
array_transform array_unique array_value array_where array_zip cardinality element_at filter
flatten generate_series grade_up len list_aggr list_aggregate list_any_value list_append
list_apply list_approx_count_distinct list_avg list_bit_and list_bit_or list_bit_xor
list_bool_and list_bool_or list_cat list_concat list_contains list_cosine_distance
list_cosine_similarity list_count list_distance list_distinct list_dot_product list_element
list_entropy list_extract list_filter list_first list_grade_up list_has list_has_all
list_has_any list_histogram list_indexof list_inner_product list_intersect list_kurtosis
list_kurtosis_pop list_last list_mad list_max list_median list_min list_mode
list_negative_dot_product list_negative_inner_product list_pack list_position list_prepend
list_product list_reduce list_resize list_reverse list_reverse_sort list_select list_sem
list_skewness list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum
list_transform list_unique list_value list_var_pop list_var_samp list_where list_zip range
reduce unpivot_list
"""

_NESTED = """
enum_first enum_last enum_range enum_range_boundary map map_concat map_contains
map_contains_entry map_contains_value map_entries map_extract map_extract_value map_from_entries
map_keys map_values struct_concat struct_contains struct_extract struct_extract_at struct_has
struct_indexof struct_insert struct_keys struct_pack struct_position struct_update struct_values
union_extract union_tag
"""

_TIMES = """
age ago century current_date current_localtime current_localtimestamp date_add date_diff
date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth
dayofweek dayofyear days_in_month decade epoch epoch_ms epoch_ns epoch_us era get_current_time
get_current_timestamp hour isodow isoyear julian last_day make_date make_time make_timestamp
make_timestamp_ms make_timestamp_ns make_timestamptz microsecond millennium millisecond minute
month monthname nanosecond now quarter second strftime strptime time_bucket timezone
timezone_hour timezone_minute to_centuries to_days to_decades to_hours to_microseconds
to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks
to_years today transaction_timestamp try_strptime week weekday weekofyear year yearweek
"""

_TEXTS_AND_NUMBERS = """
abs acos acosh add ascii asin asinh atan atan2 atanh bar base64 bin binom bit_count
bit_length bit_position bitstring cbrt ceil ceiling char_length character_length chr concat
concat_ws contains cos cosh cot damerau_levenshtein decode degrees divide editdist3 encode
ends_with equi_width_bins even exp factorial fdiv floor fmod format
formatReadableDecimalSize formatReadableSize format_bytes from_base64 from_binary from_hex gamma
gcd gen_random_uuid geomean geometric_mean get_bit greatest greatest_common_divisor hamming hash
hex if ilike_escape instr isfinite isinf isnan jaccard jaro_similarity jaro_winkler_similarity
lcase lcm least least_common_multiple left left_grapheme length length_grapheme levenshtein
lgamma like_escape ln log log10 log2 lower lpad ltrim md5 md5_number md5_number_lower
md5_number_upper mismatches mod multiply nextafter nfc_normalize not_ilike_escape
not_like_escape nullif octet_length ord overlay parse_formatted_bytes pi position pow power
prefix printf radians random regexp_escape regexp_extract regexp_extract_all regexp_full_match
regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table repeat replace reverse
right right_grapheme round round_even roundbankers rpad rtrim set_bit sha1 sha256 sign signbit
sin sinh split split_part sqrt starts_with str_split str_split_regex string_split
string_split_regex string_to_array strip_accents strlen strpos substr substring
substring_grapheme subtract suffix tan tanh to_base to_base64 to_binary to_hex translate trim
trunc typeof ucase unbin unhex unicode upper url_decode url_encode uuid uuid_extract_timestamp
uuid_extract_version uuidv4 uuidv7 wavg weighted_avg xor
"""

_OPERATORS = """
!= !__postfix !~~ !~~* % & && * ** + - ->> / // < <-> << <= <=> <@ = > >= >> @ @> ^ ^@ | || ~ ~~
~~* ~~~
"""

_AGGREGATES = """
any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null
arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and
bit_or bit_xor bitstring_agg bool_and bool_or corr count count_if count_star countif covar_pop
covar_samp entropy favg first fsum group_concat histogram histogram_exact kahan_sum kurtosis
kurtosis_pop last list listagg lttb mad max max_by mean median min min_by mode product quantile
quantile_cont quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope
regr_sxx regr_sxy regr_syy reservoir_quantile sem skewness stddev stddev_pop stddev_samp
string_agg sum sumkahan var_pop var_samp variance
"""

_WINDOWS = """
cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank
rank_dense row_number
"""

_SYNTAX = "unnest row"
"""What the parser knows as functions although the catalogue has no such name."""

FUNCTIONS = frozenset(
    name.lower()
    for names in (
        _JSON,
        _LISTS,
        _NESTED,
        _TIMES,
        _TEXTS_AND_NUMBERS,
        _OPERATORS,
        _AGGREGATES,
        _WINDOWS,
        _SYNTAX,
    )
    for name in names.split()
) | {"is distinct from", "is not distinct from", "__between"}
"""Scalar, aggregate and window functions, macros and operators, in lower case."""
