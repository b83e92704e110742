/* Draws a report's charts by Chart.js, which stands before this in the same file. Beside each canvas
 * lies what it shows, as JSON; the numbers are in the table below, whether this runs or not. */
(() => {
    'use strict';
    const {Chart} = window;
    const root = document.documentElement;
    const LONG = 14; /* rows of a chart across, from which on it wants more height */
    const PAPER = {width: 640, height: 230, high: 400};

    const colour = name => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
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
        const write = Chart.Ticks.formatters.numeric;
        return Math.abs(value) < 1000 ? write.call(this, value, i, ticks) : compact.format(value);
    }

    const powers = value =>
        Number.isInteger(Math.log10(value)) ? compact.format(value) : '';

    function axis(title, log, more = {}) {
        return {
            ...more,
            ...(log ? {type: 'logarithmic'} : {}),
            grid: {color: colour('line'), drawBorder: false, ...more.grid},
            ticks: {
                color: colour('muted'),
                maxRotation: 0,
                autoSkipPadding: 12,
                ...(log ? {callback: powers} : {}),
                ...more.ticks
            },
            title: {display: Boolean(title), text: title, color: colour('muted')}
        };
    }

    /* So that whiskers end inside. */
    function furthest({series}) {
        return 1.02 * Math.max(0, ...series.flatMap(({high}) => high || []));
    }

    function bars(told) {
        const across = told.kind === 'bars';
        const name = {grid: {display: false}, ticks: {autoSkip: !across}};
        return {
            type: 'bar',
            data: {
                labels: told.labels,
                datasets: told.series.map((each, n) => ({
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
                        ? axis(told.x, false, {beginAtZero: true, suggestedMax: furthest(told)})
                        : axis(told.x, false, name),
                    y: across
                        ? axis(told.y, false, name)
                        : axis(told.y, false, {
                              beginAtZero: true,
                              ticks: {callback: brief}
                          })
                }
            }
        };
    }

    function line(told) {
        return {
            type: 'line',
            data: {
                datasets: told.series.map((each, n) => ({
                    label: each.name,
                    data: told.at.map((x, i) => ({x, y: each.values[i]})),
                    borderColor: n ? colour('strong-line') : tone(n),
                    borderDash: n ? [5, 5] : [],
                    backgroundColor: `${tone(n)}22`,
                    fill: n ? false : 'origin',
                    borderWidth: n ? 1.5 : 2.5,
                    pointRadius: 0
                }))
            },
            options: {
                parsing: false,
                scales: {
                    x: {...axis(told.x, told.logX), type: told.logX ? 'logarithmic' : 'linear'},
                    y: {...axis(told.y, told.logY), type: told.logY ? 'logarithmic' : 'linear'}
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
                    x: axis(told.x, false, {grace: '8%'}),
                    y: axis(told.y, false, {grace: '8%'})
                }
            }
        };
    }

    const makers = {columns: bars, bars, line, points};

    function draw(one) {
        const {options = {}, ...made} = makers[one.told.kind](one.told);
        if (one.chart) one.chart.destroy();
        one.chart = new Chart(one.canvas, {
            ...made,
            plugins: [whiskers, names],
            options: {
                responsive: !one.fixed,
                maintainAspectRatio: false,
                animation: false,
                ...(one.fixed ? {devicePixelRatio: 2} : {}),
                interaction: {mode: 'index', intersect: false},
                ...options,
                plugins: {
                    legend: {
                        display: made.data.datasets.length > 1,
                        labels: {color: colour('ink'), boxWidth: 12, boxHeight: 12}
                    },
                    ...options.plugins
                }
            }
        });
        if (one.fixed)
            one.chart.resize(PAPER.width, one.high ? PAPER.high : PAPER.height);
    }

    const all = [...document.querySelectorAll('.chart')].map(box => {
        const told = JSON.parse(box.querySelector('script').textContent);
        const high = told.kind === 'bars' && told.labels.length * told.series.length > LONG;
        box.classList.add('drawn');
        box.classList.toggle('high', high);
        const details = box.parentNode.querySelector('details');
        details.open = false;
        return {told, high, details, canvas: box.querySelector('canvas'), rows: told.labels.length};
    });
    for (const details of document.querySelectorAll('.options')) details.open = false;
    all.forEach(draw);

    /* On paper: light colours, a width that suits a page, and the tables. */
    function paper(on) {
        if (root.classList.contains('paper') === on) return;
        root.classList.toggle('paper', on);
        for (const details of document.querySelectorAll('details')) {
            if (on) details.dataset.open = String(details.open);
            details.open = on || details.dataset.open === 'true';
        }
        for (const one of all) {
            one.fixed = on;
            draw(one);
        }
    }
    window.addEventListener('beforeprint', () => paper(true));
    window.addEventListener('afterprint', () => paper(false));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => all.forEach(draw));
})();
