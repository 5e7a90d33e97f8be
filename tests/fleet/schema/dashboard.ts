// SPDX-License-Identifier: MIT
// A dashboard of ours, put together from Grafana's types.
import type * as bargauge from "@grafana/grafana-foundation-sdk/bargauge";
import type * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import type * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import type * as stat from "@grafana/grafana-foundation-sdk/stat";
import type * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";

// The types have only Prometheus's queries; the others are the keys of Grafana 13's own sources of data.
type DataSource = { type: string; uid: string };
export type prometheusTarget = Omit<prometheus.Dataquery, "_implementsDataqueryVariant">;
export type influxdbTarget = {
  alias: string;
  datasource: DataSource;
  query: string;
  rawQuery: boolean;
  refId: string;
  resultFormat: "time_series" | "table";
};
export type graphiteTarget = { datasource: DataSource; refId: string; target: string; textEditor: boolean };

type FieldConfig<Custom> = Omit<dashboard.FieldConfig, "custom"> & { custom?: Custom };
type Overrides = dashboard.FieldConfigSource["overrides"];
type Panel<Type, Options, Custom, Target> = Omit<dashboard.Panel, "type" | "options" | "fieldConfig" | "targets"> & {
  type: Type;
  description: string;
  options: Options;
  fieldConfig: { defaults: FieldConfig<Custom>; overrides: Overrides };
  targets: Target[];
};
type AnyPanel<Target> =
  | Panel<"stat", stat.Options, never, Target>
  | Panel<"bargauge", bargauge.Options, never, Target>
  | Panel<"timeseries", timeseries.Options, timeseries.FieldConfig, Target>;
export type DashboardOf<Target> = Omit<dashboard.Dashboard, "panels"> & { panels: AnyPanel<Target>[] };
