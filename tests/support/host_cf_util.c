/* SPDX-License-Identifier: MIT */
/* The daemon's readers of configuration values. */
#include "host.h"

static bool is_single(const oconfig_item_t *ci, int type) {
  return ci->values_num == 1 && ci->values[0].type == type;
}

int cf_util_get_string(const oconfig_item_t *ci, char **ret_string) {
  if (!is_single(ci, OCONFIG_TYPE_STRING)) {
    P_ERROR("The `%s' option requires exactly one string argument.", ci->key);
    return -1;
  }
  char *copy = strdup(ci->values[0].value.string);
  if (copy == NULL)
    return -1;
  free(*ret_string);
  *ret_string = copy;
  return 0;
}

int cf_util_get_string_buffer(const oconfig_item_t *ci, char *buffer,
                              size_t buffer_size) {
  if (ci == NULL || buffer == NULL || buffer_size < 1)
    return EINVAL;
  if (!is_single(ci, OCONFIG_TYPE_STRING)) {
    P_ERROR("The `%s' option requires exactly one string argument.", ci->key);
    return -1;
  }
  sstrncpy(buffer, ci->values[0].value.string, buffer_size);
  return 0;
}

int cf_util_get_double(const oconfig_item_t *ci, double *ret_value) {
  if (ci == NULL || ret_value == NULL)
    return EINVAL;
  if (!is_single(ci, OCONFIG_TYPE_NUMBER)) {
    P_ERROR("The `%s' option requires exactly one numeric argument.", ci->key);
    return -1;
  }
  *ret_value = ci->values[0].value.number;
  return 0;
}

int cf_util_get_int(const oconfig_item_t *ci, int *ret_value) {
  if (ret_value == NULL)
    return EINVAL;
  double number;
  int status = cf_util_get_double(ci, &number);
  if (status == 0)
    *ret_value = (int)number;
  return status;
}

int cf_util_get_cdtime(const oconfig_item_t *ci, cdtime_t *ret_value) {
  if (ret_value == NULL)
    return EINVAL;
  double number;
  int status = cf_util_get_double(ci, &number);
  if (status != 0)
    return status;
  if (number < 0.0) {
    P_ERROR("The numeric argument of the `%s' option must not be negative.",
            ci->key);
    return -1;
  }
  *ret_value = DOUBLE_TO_CDTIME_T(number);
  return 0;
}

int cf_util_get_boolean(const oconfig_item_t *ci, bool *ret_bool) {
  if (ci == NULL || ret_bool == NULL)
    return EINVAL;
  if (is_single(ci, OCONFIG_TYPE_BOOLEAN)) {
    *ret_bool = ci->values[0].value.boolean != 0;
    return 0;
  }
  if (!is_single(ci, OCONFIG_TYPE_STRING)) {
    P_ERROR("The `%s' option requires exactly one boolean argument.", ci->key);
    return -1;
  }
  const char *string = ci->values[0].value.string;
  P_WARNING("Using string value `%s' for boolean option `%s' is deprecated and "
            "will be removed in future releases. Use unquoted true or false "
            "instead.",
            string, ci->key);
  if (!IS_TRUE(string) && !IS_FALSE(string)) {
    P_ERROR("Cannot parse string value `%s' of the `%s' option as a boolean "
            "value.",
            string, ci->key);
    return -1;
  }
  *ret_bool = IS_TRUE(string);
  return 0;
}

int cf_util_get_flag(const oconfig_item_t *ci, unsigned int *ret_value,
                     unsigned int flag) {
  if (ret_value == NULL)
    return EINVAL;
  bool set = false;
  int status = cf_util_get_boolean(ci, &set);
  if (status == 0)
    *ret_value = set ? *ret_value | flag : *ret_value & ~flag;
  return status;
}

int cf_util_get_port_number(const oconfig_item_t *ci) {
  if (is_single(ci, OCONFIG_TYPE_STRING))
    return service_name_to_port_number(ci->values[0].value.string);
  if (!is_single(ci, OCONFIG_TYPE_NUMBER)) {
    P_ERROR("The `%s' option requires exactly one string argument.", ci->key);
    return -1;
  }
  int port = (int)(ci->values[0].value.number + 0.5);
  if (port < 1 || port > 65535) {
    P_ERROR("The `%s' option requires a service name or a port number. The "
            "number you specified, %i, is not in the valid range of 1-65535.",
            ci->key, port);
    return -1;
  }
  return port;
}

int cf_util_get_service(const oconfig_item_t *ci, char **ret_string) {
  if (ci->values_num != 1) {
    P_ERROR("The `%s` option requires exactly one argument.", ci->key);
    return -1;
  }
  if (is_single(ci, OCONFIG_TYPE_STRING))
    return cf_util_get_string(ci, ret_string);
  int port = 0;
  int status = cf_util_get_int(ci, &port);
  if (status != 0)
    return status;
  if (port < 1 || port > 65535) {
    P_ERROR("The port number given for the `%s` option is out of range (%i).",
            ci->key, port);
    return -1;
  }
  char service[16];
  snprintf(service, sizeof(service), "%i", port);
  char *copy = strdup(service);
  if (copy == NULL)
    return -1;
  free(*ret_string);
  *ret_string = copy;
  return 0;
}
