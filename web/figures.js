/* Draws figures by Chart.js, for the page and for reports alike, from what src/report/figure.c says of
 * them. It leaves one global, figures, and is no module: in a report, which is one file, nothing can be
 * imported. Colours are those of the style sheet. */
(() => {
    'use strict';
    const root = document.documentElement;
    const MANY = 60; /* points on a line, from which on it has none */
    const LONG = 14; /* rows of a chart across, from which on it wants more height */

    const colour = name => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
    /* The n-th colour of series. */
    const tone = n => colour(`series-${(n % 6) + 1}`);
    const compact = new Intl.NumberFormat('en', {notation: 'compact', maximumFractionDigits: 1});

    /* Whiskers at the ends of intervals. */
    const whiskers = {
        id: 'whiskers',
        afterDatasetsDraw(chart) {
            const {ctx, data, scales} = chart;
            ctx.save();
            ctx.strokeStyle = colour('ink');
            ctx.lineWidth = 1.5;
            data.datasets.forEach(({low, high}, n) => {
                if (!low) return;
                const across = chart.options.indexAxis === 'y';
                const axis = across ? scales.x : scales.y;
                chart.getDatasetMeta(n).data.forEach((bar, i) => {
                    if (low[i] === null || high[i] === null) return;
                    const ends = [axis.getPixelForValue(low[i]), axis.getPixelForValue(high[i])];
                    ctx.beginPath();
                    const line = (x1, y1, x2, y2) => {
                        ctx.moveTo(...(across ? [x1, y1] : [y1, x1]));
                        ctx.lineTo(...(across ? [x2, y2] : [y2, x2]));
                    };
                    const middle = across ? bar.y : bar.x;
                    line(ends[0], middle, ends[1], middle);
                    for (const end of ends) line(end, middle - 4, end, middle + 4);
                    ctx.stroke();
                });
            });
            ctx.restore();
        }
    };

    /* The name beside each point; on its other side where there is no room, lower where another
     * name is. */
    const names = {
        id: 'names',
        afterDatasetsDraw(chart) {
            const {ctx, data, chartArea} = chart;
            if (!data.names) return;
            const written = [];
            ctx.save();
            ctx.fillStyle = colour('ink');
            ctx.font = `12px ${colour('sans')}`;
            ctx.textBaseline = 'middle';
            chart.getDatasetMeta(0).data.forEach((point, i) => {
                const width = ctx.measureText(data.names[i]).width;
                const left = point.x + 9 + width > chartArea.right;
                const x = left ? point.x - 9 - width : point.x + 9;
                let y = point.y;
                while (
                    written.some(
                        w => Math.abs(w.y - y) < 13 && x < w.x + w.width && w.x < x + width
                    )
                )
                    y += 13;
                written.push({x, y, width});
                ctx.fillText(data.names[i], x, y);
            });
            ctx.restore();
        }
    };

    /* Thousands as "1K"; others as the library writes them. */
    function brief(value, i, ticks) {
        const write = window.Chart.Ticks.formatters.numeric;
        return Math.abs(value) < 1000 ? write.call(this, value, i, ticks) : compact.format(value);
    }

    /* Of a logarithmic scale only 1, 10, 100 … are written. */
    const powers = value => (Number.isInteger(Math.log10(value)) ? compact.format(value) : '');

    /* An axis; more: what Chart.js takes, ticks and grid added to ours. */
    function axis(title, {ticks, grid, ...more} = {}) {
        return {
            border: {display: false},
            grid: {color: colour('line'), drawBorder: false, ...grid},
            ticks: {
                color: colour('muted'),
                maxRotation: 0,
                autoSkipPadding: 12,
                ...(more.type === 'logarithmic' ? {callback: powers} : {}),
                ...ticks
            },
            title: {display: Boolean(title), text: title, color: colour('muted')},
            ...more
        };
    }

    const drawnSeries = told => told.series.filter(each => each.drawn);

    /* So that whiskers end inside. */
    function furthest(told) {
        return 1.02 * Math.max(0, ...drawnSeries(told).flatMap(({high}) => high || []));
    }

    function bars(told) {
        const across = told.kind === 'bars';
        /* Bins are in order, so that some labels stand for those between; of models each is named. */
        const skip = !across && told.head !== 'Model';
        const name = {grid: {display: false}, ticks: {autoSkip: skip, maxRotation: skip ? 0 : 60}};
        return {
            type: 'bar',
            data: {
                labels: told.labels,
                datasets: drawnSeries(told).map((each, n) => ({
                    label: each.name,
                    data: each.values,
                    low: each.low,
                    high: each.high,
                    backgroundColor: tone(n),
                    borderRadius: 3,
                    maxBarThickness: 34
                }))
            },
            options: {
                indexAxis: across ? 'y' : 'x',
                scales: {
                    x: across
                        ? axis(told.x, {beginAtZero: true, suggestedMax: furthest(told)})
                        : axis(told.x, name),
                    y: across
                        ? axis(told.y, name)
                        : axis(told.y, {beginAtZero: true, ticks: {callback: brief}})
                }
            }
        };
    }

    /* Over numbers, or over the labels where there are none. The second series is what the first is
     * held against. */
    function line(told) {
        const scale = log => (log ? 'logarithmic' : 'linear');
        return {
            type: 'line',
            data: {
                labels: told.at ? undefined : told.labels,
                datasets: drawnSeries(told).map((each, n) => ({
                    label: each.name,
                    data: told.at ? told.at.map((x, i) => ({x, y: each.values[i]})) : each.values,
                    borderColor: n ? colour('strong-line') : tone(n),
                    borderDash: n ? [5, 5] : [],
                    backgroundColor: `${tone(n)}22`,
                    fill: n || !told.at ? false : 'origin',
                    borderWidth: n ? 1.5 : 2.5,
                    pointRadius: told.at || told.labels.length > MANY ? 0 : 3,
                    clip: 8,
                    pointBackgroundColor: tone(n)
                }))
            },
            options: {
                ...(told.at ? {parsing: false} : {}),
                scales: {
                    x: axis(told.x, told.at ? {type: scale(told.log_x)} : {grid: {display: false}}),
                    y: axis(told.y, {type: scale(told.log_y)})
                }
            }
        };
    }

    function points(told) {
        const [x, y] = told.series;
        return {
            type: 'scatter',
            data: {
                names: told.labels,
                datasets: [
                    {
                        label: 'models',
                        data: told.labels.map((_, i) => ({x: x.values[i], y: y.values[i]})),
                        backgroundColor: told.labels.map((_, i) => tone(i)),
                        pointRadius: 6,
                        pointHoverRadius: 8
                    }
                ]
            },
            options: {
                interaction: {mode: 'nearest', intersect: true},
                plugins: {
                    tooltip: {
                        callbacks: {
                            label: at =>
                                `${told.labels[at.dataIndex]}: ${told.x} ${at.formattedValue
                                    .replace(/^\(|\)$/g, '')
                                    .replace(', ', `, ${told.y} `)}`
                        }
                    }
                },
                scales: {
                    x: axis(told.x, {grace: '8%'}),
                    y: axis(told.y, {grace: '8%'})
                }
            }
        };
    }

    const makers = {columns: bars, bars, line, points};

    window.figures = {
        colour,
        tone,
        axis,
        /* What a figure is drawn by: {type, data, options}. */
        make: told => makers[told.kind](told),
        /* Whether its chart wants more height. */
        high: told => told.kind === 'bars' && told.labels.length * drawnSeries(told).length > LONG,
        /* A new chart in the page's looks; more: options that go above the others. */
        draw: (canvas, {type, data, options = {}}, more = {}) =>
            new window.Chart(canvas, {
                type,
                data,
                plugins: [whiskers, names],
                options: {
                    responsive: true,
                    maintainAspectRatio: false,
                    animation: false,
                    interaction: {mode: 'index', intersect: false},
                    ...options,
                    ...more,
                    plugins: {
                        legend: {
                            display: data.datasets.length > 1,
                            labels: {color: colour('ink'), boxWidth: 12, boxHeight: 12}
                        },
                        ...options.plugins
                    }
                }
            })
    };
})();
