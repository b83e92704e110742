/* What is drawn on a poster that nobody made: motifs and colours. A motif is a function of a random
 * source and four colours that fills a picture 200 wide and `tall` high with SVG.
 *
 * Colours of a palette, from ground to light: [ground, middle, accent, light]. */

export const PALETTES = {
    ember: ['#2a0f14', '#8c1c13', '#f26430', '#ffe8d1'],
    blood: ['#120709', '#5c0a14', '#d7263d', '#f6e7e4'],
    venom: ['#0b1410', '#1f4d36', '#9bc53d', '#eef7d8'],
    noir: ['#101114', '#3d4047', '#e0b84c', '#f2f0ea'],
    bone: ['#1b1a1f', '#6b6570', '#c9c2b4', '#f7f3ea'],
    lemon: ['#3a2200', '#e08e00', '#ffd23f', '#fff7dc'],
    candy: ['#43124b', '#d6336c', '#ff8fab', '#fff0f3'],
    mint: ['#06302f', '#12807a', '#6ee7b7', '#ecfdf5'],
    coral: ['#3b1220', '#d1495b', '#ffb997', '#fff3ea'],
    sky: ['#0a2540', '#1f78c1', '#8fd3ff', '#f0f9ff'],
    navy: ['#0c1a30', '#2b4c7e', '#e8c07d', '#f7f1e3'],
    wine: ['#2b0a1d', '#7a1e48', '#e5989b', '#fdeff0'],
    slate: ['#17212b', '#3f5e73', '#f4a259', '#faf3e8'],
    rose: ['#401226', '#b83b5e', '#f9c5d1', '#fff5f7'],
    plum: ['#1e1033', '#5f3dc4', '#d0bfff', '#f6f2ff'],
    cyan: ['#04151f', '#0b7285', '#3bc9db', '#e6fcff'],
    ultra: ['#0d0730', '#4527a0', '#ff6ec7', '#f3e9ff'],
    orbit: ['#0b1026', '#2f3c7e', '#fb8500', '#fef3e2'],
    rust: ['#2b1608', '#9c4a1a', '#e9a15b', '#fbeeda'],
    dune: ['#33200f', '#b07d3c', '#f0c987', '#fdf4e0'],
    olive: ['#1a1d0e', '#59622c', '#c2b55a', '#f6f3de'],
    forest: ['#0b1d15', '#2d6a4f', '#95d5b2', '#edf8f1'],
    news: ['#1c1c1c', '#7a7a76', '#d0312d', '#f4f1ea'],
    gold: ['#221503', '#7f5500', '#f2b705', '#fff6d6']
};

/* Which colours and motifs suit a category; others take theirs from all. */
const MOODS = [
    [/horror/i, 'blood venom bone noir plum', 'teeth eye forest tunnel halftone city'],
    [
        /comedy/i,
        'lemon candy mint coral sky rose gold news',
        'confetti blocks rainbow stripes discs halftone waves rays'
    ],
    [/sci.?fi|science/i, 'cyan ultra orbit plum mint noir', 'planet tunnel grid halftone eye city'],
    [/romance|love/i, 'rose wine coral candy dune sky', 'discs waves sun rainbow blocks forest'],
    [/film.?noir|noir/i, 'noir bone news', 'stripes city eye'],
    [
        /crime|mystery|thriller/i,
        'noir slate blood navy bone gold ember',
        'city eye tunnel stripes halftone discs'
    ],
    [/western/i, 'rust dune ember', 'sun mountains rays'],
    [/war|history/i, 'olive rust bone slate ember', 'rays mountains halftone stripes sun'],
    [
        /animation|child|family|kids/i,
        'sky lemon candy mint coral plum',
        'rainbow confetti blocks waves planet mountains'
    ],
    [/fantasy/i, 'plum forest ultra gold', 'mountains forest planet sun'],
    [
        /adventure|travel/i,
        'sky dune forest slate gold orbit',
        'mountains waves sun rays forest planet'
    ],
    [/action/i, 'ember orbit slate gold cyan noir', 'rays halftone city grid tunnel stripes'],
    [/music/i, 'candy gold ultra wine', 'stripes discs halftone rays'],
    [
        /document|news|biograph/i,
        'news bone navy olive sky',
        'halftone blocks stripes mountains eye'
    ],
    [
        /drama/i,
        'navy wine slate bone forest dune plum rust',
        'discs sun waves blocks mountains city rays forest halftone'
    ]
];

/* The names of palettes and motifs that suit these categories. */
export function moodOf(categories) {
    for (const category of categories) {
        const mood = MOODS.find(([name]) => name.test(category));
        if (mood) return {palettes: mood[1].split(' '), motifs: mood[2].split(' ')};
    }
    return {palettes: Object.keys(PALETTES), motifs: Object.keys(MOTIFS)};
}

/* ---- Shapes ---- */

const n = x => Math.round(x * 10) / 10;
const rect = (x, y, w, height, fill, more = '') =>
    `<rect x="${n(x)}" y="${n(y)}" width="${n(w)}" height="${n(height)}" fill="${fill}"${more}/>`;
const circle = (x, y, r, fill, more = '') =>
    `<circle cx="${n(x)}" cy="${n(y)}" r="${n(r)}" fill="${fill}"${more}/>`;
const ring = (x, y, r, stroke, width, more = '') =>
    `<circle cx="${n(x)}" cy="${n(y)}" r="${n(r)}" fill="none" stroke="${stroke}" stroke-width="${n(width)}"${more}/>`;
const path = (d, fill, more = '') => `<path d="${d}" fill="${fill}"${more}/>`;
const faded = opacity => ` opacity="${opacity}"`;

/* A line across from left to right as a filled shape down to the bottom. */
function below(points, tall, fill, more) {
    return path(
        `M${points.map(([x, y]) => `${n(x)} ${n(y)}`).join('L')}L200 ${tall}L0 ${tall}z`,
        fill,
        more
    );
}

export const MOTIFS = {
    sun(r, [ground, middle, accent, light], tall) {
        const x = r.between(60, 140),
            y = tall * r.between(0.36, 0.5),
            size = r.between(44, 66);
        let out =
            rect(0, 0, 200, tall, middle) +
            circle(x, y, size * 1.45, accent, faded(0.22)) +
            circle(x, y, size, accent);
        for (let i = 0; i < 5; i++)
            out += rect(0, y + size * (0.12 + 0.19 * i), 200, 2 + i * 1.7, middle);
        const horizon = tall * 0.72;
        out += rect(0, horizon, 200, tall - horizon, ground);
        for (let i = 0; i < 4; i++)
            out += rect(
                x - size + i * 9,
                horizon + 7 + i * 11,
                2 * size - i * 18,
                2.4,
                light,
                faded(0.5 - i * 0.1)
            );
        return out;
    },

    mountains(r, [ground, middle, accent, light], tall) {
        let out =
            rect(0, 0, 200, tall, accent) +
            rect(0, 0, 200, tall * 0.5, light, faded(0.35)) +
            circle(r.between(45, 155), tall * r.between(0.2, 0.32), r.between(15, 27), light);
        for (let layer = 0; layer < 4; layer++) {
            const base = tall * (0.42 + 0.15 * layer),
                rough = 34 - layer * 4,
                points = [];
            for (let x = 0; x <= 200; x += r.between(14, 30))
                points.push([x, base + r.between(-rough, rough * 0.5)]);
            points.push([200, base]);
            out += below(
                points,
                tall,
                layer < 2 ? middle : ground,
                faded([0.45, 0.85, 0.75, 1][layer])
            );
        }
        return out;
    },

    city(r, [ground, middle, accent, light], tall) {
        let out =
            rect(0, 0, 200, tall, middle) +
            circle(r.between(50, 150), tall * 0.3, r.between(24, 40), accent);
        for (let layer = 0; layer < 2; layer++) {
            for (let x = r.between(-10, 0); x < 200;) {
                const width = r.between(16, 34),
                    top = tall * (r.between(0.3, 0.62) + 0.12 * layer);
                out += rect(x, top, width, tall - top, ground, faded(layer ? 1 : 0.55));
                for (let wy = top + 7; layer && wy < tall - 8; wy += 10) {
                    for (let wx = x + 4; wx < x + width - 5; wx += 7) {
                        if (r.chance(0.35))
                            out += rect(wx, wy, 3, 4.5, r.chance(0.3) ? light : accent, faded(0.9));
                    }
                }
                x += width + r.between(-2, 5);
            }
        }
        return out;
    },

    blocks(r, colours, tall) {
        const size = 40,
            [ground, middle, accent, light] = colours;
        let out = rect(0, 0, 200, tall, light);
        for (let y = 0; y < tall; y += size) {
            for (let x = 0; x < 200; x += size) {
                const [a, b] = r.shuffle([ground, middle, accent, light]);
                out += rect(x, y, size, size, a);
                const kind = r.below(5),
                    turn = ` transform="rotate(${90 * r.below(4)} ${x + 20} ${y + 20})"`;
                if (kind === 0) out += path(`M${x} ${y}h40a40 40 0 0 1-40 40z`, b, turn);
                else if (kind === 1) out += path(`M${x} ${y}h40v20a20 20 0 0 1-40 0z`, b, turn);
                else if (kind === 2) out += circle(x + 20, y + 20, 13, b);
                else if (kind === 3) out += path(`M${x} ${y}h40l-40 40z`, b, turn);
            }
        }
        return out;
    },

    rays(r, [ground, middle, accent, light], tall) {
        const x = r.between(60, 140),
            y = tall * r.between(0.4, 0.62),
            count = 12 + 2 * r.below(6);
        let out = rect(0, 0, 200, tall, middle);
        for (let i = 0; i < count; i += 1) {
            const a = (2 * Math.PI * i) / count,
                b = a + Math.PI / count;
            out += path(
                `M${n(x)} ${n(y)}L${n(x + 400 * Math.cos(a))} ${n(y + 400 * Math.sin(a))}L` +
                    `${n(x + 400 * Math.cos(b))} ${n(y + 400 * Math.sin(b))}z`,
                accent,
                faded(0.8)
            );
        }
        const size = r.between(30, 46);
        out += circle(x, y, size + 9, light) + circle(x, y, size, ground);
        return (
            out +
            (r.chance(0.5)
                ? path(
                      `M${n(x)} ${n(y - size * 0.72)}l${n(size * 0.62)} ${n(size * 1.1)}h${n(-size * 1.24)}z`,
                      accent
                  )
                : circle(x + size * 0.28, y - size * 0.2, size * 0.78, accent))
        );
    },

    waves(r, [ground, middle, accent, light], tall) {
        let out =
            rect(0, 0, 200, tall, light) +
            circle(r.between(50, 150), tall * r.between(0.22, 0.34), r.between(22, 36), accent);
        const tones = [accent, middle, middle, ground, ground];
        tones.forEach((tone, i) => {
            const y = tall * (0.4 + 0.13 * i),
                high = r.between(8, 16),
                shift = r.between(0, 100);
            let d = `M${n(-shift)} ${n(y)}`;
            for (let x = -shift; x < 210; x += 50) d += `q12.5 ${n(-high)} 25 0t25 0`;
            out += path(`${d}V${tall}H${n(-shift)}z`, tone, faded([0.6, 0.65, 1, 0.75, 1][i]));
        });
        return out;
    },

    planet(r, [ground, middle, accent, light], tall) {
        let out = rect(0, 0, 200, tall, ground);
        for (let i = 0; i < 60; i++)
            out += circle(
                r.between(0, 200),
                r.between(0, tall),
                r.between(0.4, 1.5),
                light,
                faded(n(r.between(0.3, 1)))
            );
        const x = r.between(70, 130),
            y = tall * r.between(0.38, 0.52),
            size = r.between(38, 56);
        const tilt = r.between(-30, 30);
        out +=
            circle(x, y, size * 1.5, middle, faded(0.35)) +
            circle(x, y, size, middle) +
            path(
                `M${n(x - size)} ${n(y)}a${n(size)} ${n(size)} 0 0 0 ${n(2 * size)} 0a${n(size)} ${n(size * 0.5)} 0 0 1 ${n(-2 * size)} 0z`,
                accent,
                ` transform="rotate(${n(tilt + 20)} ${n(x)} ${n(y)})"${faded(0.85)}`
            );
        if (r.chance(0.7))
            out += `<ellipse cx="${n(x)}" cy="${n(y)}" rx="${n(size * 1.62)}" ry="${n(size * 0.34)}" fill="none" stroke="${light}" stroke-width="3.5" opacity=".85" transform="rotate(${n(tilt)} ${n(x)} ${n(y)})"/>`;
        return out + circle(x + size * 1.2, y - size * 1.1, size * 0.2, accent);
    },

    stripes(r, [ground, middle, accent, light], tall) {
        const angle = r.pick([0, 35, -35, 90, 18]),
            step = r.between(15, 26);
        let bars = '';
        for (let x = -160; x < 360; x += step)
            bars += rect(
                x,
                -160,
                step * r.between(0.3, 0.75),
                700,
                r.pick([middle, middle, accent, light])
            );
        return (
            rect(0, 0, 200, tall, ground) +
            `<g transform="rotate(${angle} 100 ${n(tall / 2)})">${bars}</g>` +
            circle(r.between(70, 130), tall * 0.45, r.between(34, 52), r.pick([accent, light]))
        );
    },

    halftone(r, [ground, middle, accent, light], tall) {
        let out = rect(0, 0, 200, tall, accent);
        const x0 = r.between(20, 180),
            y0 = tall * r.between(0.15, 0.7),
            reach = r.between(150, 210);
        for (let y = 5, row = 0; y < tall + 6; y += 10, row++) {
            for (let x = row % 2 ? 0 : 5; x < 206; x += 10) {
                const size = 6.6 * (1 - Math.hypot(x - x0, y - y0) / reach);
                if (size > 0.5) out += circle(x, y, size, ground);
            }
        }
        return out + circle(200 - x0, tall * 0.75 - y0 * 0.4, 26, light);
    },

    tunnel(r, [ground, middle, accent, light], tall) {
        let out = rect(0, 0, 200, tall, ground);
        const turn = r.pick([0, 5, 8, -6]),
            round = r.chance(0.5);
        const x = 100,
            y = tall * 0.46;
        for (let i = 0; i < 9; i++) {
            const size = 150 - i * 16.5,
                tone = i % 2 ? [middle, accent][i % 4 === 1 ? 0 : 1] : ground;
            out += round
                ? circle(x, y, size, tone)
                : rect(
                      x - size,
                      y - size,
                      2 * size,
                      2 * size,
                      tone,
                      ` transform="rotate(${turn * i} ${x} ${n(y)})"`
                  );
        }
        return out + circle(x, y, 9, light);
    },

    forest(r, [ground, middle, accent, light], tall) {
        let out =
            rect(0, 0, 200, tall, light) +
            rect(0, 0, 200, tall, accent, faded(0.55)) +
            circle(r.between(60, 140), tall * 0.3, r.between(20, 34), light);
        for (let layer = 0; layer < 3; layer++) {
            const base = tall * (0.72 + 0.16 * layer);
            for (let x = r.between(-10, 5); x < 205; x += r.between(13, 24)) {
                const high = r.between(55, 105) + layer * 12,
                    wide = high * 0.2;
                out += path(
                    `M${n(x)} ${n(base - high)}l${n(wide)} ${n(high)}h${n(-2 * wide)}z`,
                    layer ? ground : middle,
                    faded([0.6, 0.65, 1][layer])
                );
            }
        }
        return out + rect(0, tall * 0.97, 200, tall * 0.03, ground);
    },

    eye(r, [ground, middle, accent, light], tall) {
        const y = tall * r.between(0.42, 0.5),
            high = r.between(60, 84);
        let out = rect(0, 0, 200, tall, ground);
        for (let i = 0; i < 4; i++)
            out += path(
                `M${-20 - i * 26} ${n(y)}Q100 ${n(y - high - i * 34)} ${220 + i * 26} ${n(y)}Q100 ${n(y + high + i * 34)} ${-20 - i * 26} ${n(y)}z`,
                'none',
                ` stroke="${middle}" stroke-width="${9 - i * 2}"`
            );
        out += path(
            `M8 ${n(y)}Q100 ${n(y - high)} 192 ${n(y)}Q100 ${n(y + high)} 8 ${n(y)}z`,
            light
        );
        return (
            out +
            circle(100, y, high * 0.48, accent) +
            ring(100, y, high * 0.36, middle, 4) +
            circle(100, y, high * 0.22, ground) +
            circle(100 + high * 0.16, y - high * 0.16, 5, light)
        );
    },

    confetti(r, [ground, middle, accent, light], tall) {
        let out = rect(0, 0, 200, tall, r.pick([light, accent]));
        for (let i = 0; i < 46; i++) {
            const x = r.between(0, 200),
                y = r.between(0, tall),
                size = r.between(4, 13);
            const tone = r.pick([ground, middle, middle, accent, light]),
                kind = r.below(4);
            const turn = ` transform="rotate(${r.below(180)} ${n(x)} ${n(y)})"`;
            if (kind === 0) out += circle(x, y, size * 0.7, tone);
            else if (kind === 1) out += rect(x, y, size * 2, size * 0.6, tone, turn);
            else if (kind === 2)
                out += path(
                    `M${n(x)} ${n(y)}l${n(size)} ${n(size * 1.7)}h${n(-2 * size)}z`,
                    tone,
                    turn
                );
            else out += ring(x, y, size * 0.7, tone, 2.6);
        }
        return out + circle(r.between(70, 130), tall * 0.46, r.between(34, 48), middle);
    },

    rainbow(r, [ground, middle, accent, light], tall) {
        const x = r.pick([0, 100, 200]),
            y = r.pick([tall, tall * 0.85]),
            most = x === 100 ? 130 : 215;
        let out = rect(0, 0, 200, tall, light);
        const tones = r.shuffle([ground, middle, accent, middle, accent]);
        for (let i = 0; i < 7; i++)
            out += circle(x, y, most - i * (most / 7.5), i % 2 ? light : tones[i % 5]);
        return (
            out +
            (x === 100 ? '' : circle(200 - x + (x ? 46 : -46), tall * 0.24, 20, accent)) +
            (y < tall ? rect(0, y, 200, tall - y, ground) : '')
        );
    },

    discs(r, [ground, middle, accent, light], tall) {
        const y = tall * r.between(0.4, 0.52),
            size = r.between(46, 60),
            apart = size * r.between(0.45, 0.75);
        const slant = r.between(-22, 22);
        return (
            rect(0, 0, 200, tall, r.chance(0.5) ? light : ground) +
            circle(100 - apart, y - slant, size, accent) +
            circle(100 + apart, y + slant, size, middle) +
            `<clipPath id="c"><circle cx="${n(100 - apart)}" cy="${n(y - slant)}" r="${n(size)}"/></clipPath>` +
            circle(
                100 + apart,
                y + slant,
                size,
                r.pick(['#fff', '#000']),
                ' clip-path="url(#c)" opacity=".35"'
            )
        );
    },

    grid(r, [ground, middle, accent, light], tall) {
        const horizon = tall * 0.58;
        let out =
            rect(0, 0, 200, tall, ground) +
            rect(0, 0, 200, horizon, middle, faded(0.6)) +
            circle(100, horizon, r.between(42, 60), accent) +
            rect(0, horizon, 200, tall - horizon, ground);
        for (let i = -12; i <= 12; i++)
            out += path(
                `M${100 + i * 8} ${n(horizon)}L${100 + i * 60} ${tall}`,
                'none',
                ` stroke="${accent}" stroke-width="1.1" opacity=".75"`
            );
        for (let i = 0, y = horizon; y < tall; i++, y += 3 + i * 2.6)
            out += rect(0, y, 200, 1.1, accent, faded(0.75));
        for (let i = 0; i < 24; i++)
            out += circle(
                r.between(0, 200),
                r.between(0, horizon * 0.7),
                r.between(0.5, 1.3),
                light
            );
        return out;
    },

    teeth(r, [ground, middle, accent, light], tall) {
        let out = rect(0, 0, 200, tall, r.pick([accent, middle])),
            up = 'M0 0H200',
            down = `M0 ${tall}H200`;
        for (let x = 200; x > 0; x -= 22) {
            up += `L${n(x)} ${n(tall * r.between(0.04, 0.1))}L${n(x - 11)} ${n(tall * r.between(0.26, 0.46))}`;
            down += `L${n(x)} ${n(tall * r.between(0.9, 0.96))}L${n(x - 11)} ${n(tall * r.between(0.58, 0.76))}`;
        }
        out += circle(100, tall * 0.5, r.between(22, 34), light);
        return out + path(up + 'L0 0z', ground) + path(`${down}L0 ${tall}z`, ground);
    }
};
