/* A report's charts, by figures.js and Chart.js, which stand before this in the same file. Beside each
 * canvas lies what it shows, as JSON; the numbers are in the table below, whether this runs or not. */
(() => {
    'use strict';
    const {figures} = window;
    const root = document.documentElement;
    const PAPER = {width: 400, height: 200, high: 380}; /* the table stands beside it: report.css */

    function draw(one) {
        if (one.chart) one.chart.destroy();
        one.chart = figures.draw(
            one.canvas,
            figures.make(one.told),
            one.fixed ? {responsive: false, devicePixelRatio: 2} : {}
        );
        if (one.fixed) one.chart.resize(PAPER.width, one.high ? PAPER.high : PAPER.height);
    }

    const all = [...document.querySelectorAll('.chart')].map(box => {
        const told = JSON.parse(box.querySelector('script').textContent);
        const high = figures.high(told);
        box.classList.add('drawn');
        box.classList.toggle('high', high);
        const details = box.parentNode.querySelector('details');
        details.open = false;
        return {told, high, details, canvas: box.querySelector('canvas')};
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
