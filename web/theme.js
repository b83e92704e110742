/* Light or dark: what the system prefers, unless the visitor chose. Runs before anything is drawn,
 * so that the page never flashes in the other one. */
(function () {
    'use strict';
    const system = window.matchMedia('(prefers-color-scheme: dark)');
    let chosen = null;
    try {
        chosen = localStorage.getItem('palate.theme');
    } catch {
        /* storage is blocked: the choice lasts for this visit */
    }

    function apply() {
        const dark = chosen ? chosen === 'dark' : system.matches;
        document.documentElement.dataset.theme = dark ? 'dark' : 'light';
        window.dispatchEvent(new Event('themechange'));
    }

    window.toggleTheme = function () {
        const next = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
        chosen = next === (system.matches ? 'dark' : 'light') ? null : next;
        try {
            if (chosen) localStorage.setItem('palate.theme', chosen);
            else localStorage.removeItem('palate.theme');
        } catch {
            /* see above */
        }
        apply();
    };
    system.addEventListener('change', apply);
    apply();
})();
