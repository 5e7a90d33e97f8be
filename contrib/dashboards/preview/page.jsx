// SPDX-License-Identifier: MIT
// The panels of a dashboard, by Grafana's own components; preview.mjs has put what they show
// into window.preview.
import { createRoot } from 'react-dom/client';
import { createTheme, dateTime, EventBusSrv, FieldType, getDisplayProcessor, getDisplayValueAlignmentFactors } from '@grafana/data';
import { BarGauge, BigValue, GlobalStyles, PanelContextProvider, ThemeContext, TimeSeries } from '@grafana/ui';

const { dashboard, subject, since, until, pixels } = window.preview;
const theme = createTheme({ colors: { mode: 'light' } });
const [from, to] = [since, until].map((second) => dateTime(second * 1000));

// The numbers of a series, with what the panel says of them. Grafana's server applies the overrides.
function fieldOf({ defaults, overrides }, { name, values }, seriesIndex = 0) {
  const config = { ...defaults, custom: { ...defaults.custom }, displayName: name };
  for (const { matcher, properties } of overrides) {
    for (const { id, value } of matcher.options === name ? properties : []) {
      if (id.startsWith('custom.')) config.custom[id.slice('custom.'.length)] = value;
      else config[id] = value;
    }
  }
  const field = { name, type: FieldType.number, values, config, state: { seriesIndex } };
  return { ...field, display: getDisplayProcessor({ field, theme }) };
}

function Stat({ panel, width, height }) {
  const value = Math.max(...panel.series.map(({ values }) => values.at(-1)));
  const { display } = fieldOf(panel.fieldConfig, { name: '', values: [value] });
  return <BigValue {...panel.options} theme={theme} width={width} height={height} value={display(value)} />;
}

function Bars({ panel, width, height }) {
  const { defaults } = panel.fieldConfig;
  const max = defaults.max ?? Math.max(...panel.series.map(({ values }) => values.at(-1)));
  const bars = panel.series.map((series) => {
    const field = fieldOf({ defaults: { ...defaults, max }, overrides: [] }, series);
    return { field: field.config, display: { ...field.display(series.values.at(-1)), title: series.name }, of: field.display };
  });
  const each = Math.max(panel.options.minVizHeight, Math.min(26, height / bars.length));
  return (
    <div style={{ height, overflow: 'hidden' }}>
      {bars.map(({ field, display, of }) => (
        <div key={display.title} style={{ height: each }}>
          <BarGauge {...panel.options} valueDisplayMode={panel.options.valueMode} theme={theme} width={width} height={each - 3}
            value={display} field={field} display={of} alignmentFactors={getDisplayValueAlignmentFactors(bars)} />
        </div>
      ))}
    </div>
  );
}

function Times({ panel, width, height }) {
  const frames = panel.series.map((series, index) => {
    const times = { name: 'time', type: FieldType.time, values: series.times.map((second) => second * 1000), config: { interval: series.step * 1000 } };
    return { fields: [times, fieldOf(panel.fieldConfig, series, index)], length: series.times.length };
  });
  return <TimeSeries frames={frames} options={panel.options} legend={panel.options.legend} timeRange={{ from, to, raw: { from, to } }}
    timeZone="utc" width={width} height={height} structureRev={1} />;
}

function Panel({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const place = { left: x * pixels.column, top: pixels.head + y * pixels.row, width: w * pixels.column - 6, height: h * pixels.row - 6 };
  const Kind = { stat: Stat, bargauge: Bars, timeseries: Times }[panel.type];
  return (
    <div style={{ ...place, position: 'absolute', padding: 6, background: theme.colors.background.primary, border: `1px solid ${theme.colors.border.weak}` }}>
      <div style={{ height: 22, fontWeight: 500, whiteSpace: 'nowrap', overflow: 'hidden' }}>{panel.title}</div>
      {panel.series.length ? <Kind panel={panel} width={place.width - 14} height={place.height - 36} /> : <div style={{ textAlign: 'center' }}>No data</div>}
    </div>
  );
}

createRoot(document.body).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <PanelContextProvider value={{ eventsScope: 'global', eventBus: new EventBusSrv() }}>
      <h4 style={{ position: 'absolute', margin: 6 }}>{`${dashboard.title}: ${subject}`}</h4>
      {dashboard.panels.map((panel) => <Panel key={panel.id} panel={panel} />)}
    </PanelContextProvider>
  </ThemeContext.Provider>
);
