/* SPDX-License-Identifier: MIT */
/* What else the daemon exports: here only so that a plugin that binds to such a
 * name by mistake does so here too, and is told. */
#include "host.h"

static void __attribute__((noreturn)) missing(const char *name) {
  fflush(stdout);
  fprintf(stderr,
          "contract: the plugin called the daemon's %s(), which this host does "
          "not have\n",
          name);
  _exit(EXIT_CONTRACT);
}

#define MISSING(name)                                                          \
  void missing_##name(void) __asm__(#name);                                    \
  void missing_##name(void) { missing(#name); }                                \
  _Static_assert(true, "")
#define MISSING4(a, b, c, d)                                                   \
  MISSING(a);                                                                  \
  MISSING(b);                                                                  \
  MISSING(c);                                                                  \
  MISSING(d)
#define MISSING_DATA(name)                                                     \
  extern char missing_##name[64] __asm__(#name);                               \
  char missing_##name[64]

MISSING4(c_avl_create, c_avl_destroy, c_avl_get, c_avl_get_iterator);
MISSING4(c_avl_insert, c_avl_iterator_destroy, c_avl_iterator_next,
         c_avl_iterator_prev);
MISSING4(c_avl_pick, c_avl_remove, c_avl_size, c_heap_create);
MISSING4(c_heap_destroy, c_heap_get_root, c_heap_insert, cdrand_d);
MISSING4(cdrand_range, cdrand_u, cf_get_default_interval, cf_read);
MISSING4(cf_register, cf_register_complex, cf_unregister,
         cf_unregister_complex);
MISSING4(check_capability, check_create_dir, counter_diff, escape_slashes);
MISSING4(escape_string, fc_chain_get_by_name, fc_configure, fc_default_action);
MISSING4(fc_process_chain, fc_register_match, fc_register_target, format_name);
MISSING4(format_rfc3339, format_rfc3339_local, format_rfc3339_utc,
         format_values);
MISSING4(global_option_get, global_option_get_long, global_option_get_time,
         global_option_set);
MISSING4(hostname_set, htonll, init_config, llentry_create);
MISSING4(llentry_destroy, llist_append, llist_create, llist_destroy);
MISSING4(llist_head, llist_prepend, llist_remove, llist_search);
MISSING4(llist_search_custom, llist_size, llist_tail, meta_data_add_boolean);
MISSING4(meta_data_add_double, meta_data_add_signed_int, meta_data_add_string,
         meta_data_add_unsigned_int);
MISSING4(meta_data_as_string, meta_data_clone, meta_data_clone_merge,
         meta_data_create);
MISSING4(meta_data_delete, meta_data_destroy, meta_data_exists,
         meta_data_get_boolean);
MISSING4(meta_data_get_double, meta_data_get_signed_int, meta_data_get_string,
         meta_data_get_unsigned_int);
MISSING4(meta_data_toc, meta_data_type, notification_init, ntohll);
MISSING4(oconfig_clone, oconfig_free, oconfig_parse_file, parse_identifier);
MISSING4(parse_identifier_vl, parse_log_severity, parse_notif_severity,
         parse_value);
MISSING4(parse_value_file, parse_values, plugin_dispatch_cache_event,
         plugin_dispatch_missing);
MISSING4(plugin_flush, plugin_get_ds, plugin_init_all, plugin_init_ctx);
MISSING4(plugin_is_loaded, plugin_load, plugin_log_available_writers,
         plugin_notification_meta_copy);
MISSING4(plugin_read_all, plugin_read_all_once, plugin_set_dir,
         plugin_shutdown_all);
MISSING4(plugin_unregister_cache_event, plugin_unregister_data_set,
         plugin_unregister_flush, plugin_unregister_log);
MISSING4(plugin_unregister_missing, plugin_unregister_notification,
         plugin_unregister_write, plugin_write);
MISSING4(rate_to_value, read_file_contents, read_text_file_contents,
         read_types_list);
MISSING4(replace_special, rfc3339, rfc3339_local, rfc3339nano);
MISSING4(rfc3339nano_local, run_loop, set_sock_opts, sread);
MISSING4(ssnprintf_alloc, sstrndup, sstrnlen, stop_collectd);
MISSING4(strarray_add, strarray_free, strjoin, strtoderive);
MISSING4(strunescape, subst, subst_string, swrite);
MISSING4(threshold_get, threshold_search, timeval_cmp, uc_check_timeout);
MISSING4(uc_get_history, uc_get_history_by_name, uc_get_hits, uc_get_iterator);
MISSING4(uc_get_names, uc_get_rate, uc_get_rate_by_name, uc_get_size);
MISSING4(uc_get_state, uc_get_value, uc_get_value_by_name, uc_inc_hits);
MISSING4(uc_init, uc_iterator_destroy, uc_iterator_get_interval,
         uc_iterator_get_meta);
MISSING4(uc_iterator_get_time, uc_iterator_get_values, uc_iterator_next,
         uc_meta_data_add_boolean);
MISSING4(uc_meta_data_add_double, uc_meta_data_add_signed_int,
         uc_meta_data_add_string, uc_meta_data_add_unsigned_int);
MISSING4(uc_meta_data_delete, uc_meta_data_exists, uc_meta_data_get_boolean,
         uc_meta_data_get_double);
MISSING4(uc_meta_data_get_signed_int, uc_meta_data_get_string,
         uc_meta_data_get_unsigned_int, uc_meta_data_toc);
MISSING4(uc_set_callbacks_mask, uc_set_hits, uc_set_state, uc_update);
MISSING4(ut_search_threshold, value_to_rate, walk_directory, yy_create_buffer);
MISSING4(yy_delete_buffer, yy_flush_buffer, yy_scan_buffer, yy_scan_bytes);
MISSING4(yy_scan_string, yy_switch_to_buffer, yyalloc, yyfree);
MISSING4(yyget_debug, yyget_in, yyget_leng, yyget_lineno);
MISSING4(yyget_out, yyget_text, yylex, yylex_destroy);
MISSING4(yyparse, yypop_buffer_state, yypush_buffer_state, yyrealloc);
MISSING4(yyrestart, yyset_debug, yyset_in, yyset_lineno);
MISSING(yyset_out);
MISSING_DATA(c_file);
MISSING_DATA(ci_root);
MISSING_DATA(threshold_lock);
MISSING_DATA(threshold_tree);
MISSING_DATA(yy_flex_debug);
MISSING_DATA(yychar);
MISSING_DATA(yyin);
MISSING_DATA(yyleng);
MISSING_DATA(yylineno);
MISSING_DATA(yylval);
MISSING_DATA(yynerrs);
MISSING_DATA(yyout);
MISSING_DATA(yytext);
