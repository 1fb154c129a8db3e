// Charts of our own: bars that are stacked, and lines, over groups of time. Each can be read as a table, too.
import { type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { Card, cx } from '../ui/parts'

export interface Series {
  name: string
  color: string
  values: (number | null)[]
}

interface Props {
  title: string
  note?: ReactNode
  labels: string[]
  series: Series[]
  kind: 'bars' | 'lines'
  format: (value: number) => string
  /** The highest value of the axis, where it is known: 1 of a share. */
  most?: number
}

const HEIGHT = 190
const LEFT = 52
const BOTTOM = 22
const TOP = 8

/** The next round number: 1, 2, 2.5 or 5 times a power of ten. */
function round(value: number) {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= value) ?? 10) * power
}

export function Chart({ title, note, labels, series, kind, format, most }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(640)
  const [at, setAt] = useState<number>()
  const id = useId()
  useEffect(() => {
    if (!box.current) return
    const resized = new ResizeObserver(([entry]) => entry && setWidth(Math.max(280, entry.contentRect.width)))
    resized.observe(box.current)
    return () => resized.disconnect()
  }, [])
  const sums = labels.map((_, group) =>
    kind === 'bars' ? series.reduce((sum, each) => sum + (each.values[group] ?? 0), 0) : Math.max(0, ...series.map((each) => each.values[group] ?? 0)),
  )
  const top = most ?? round(Math.max(...sums, 0))
  const slot = (width - LEFT) / Math.max(labels.length, 1)
  const x = (group: number) => LEFT + slot * (group + 0.5)
  const y = (value: number) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM)
  const every = Math.max(1, Math.ceil(labels.length / Math.max(2, Math.floor((width - LEFT) / 76))))
  const bar = Math.max(1.5, Math.min(34, slot * 0.68))
  return (
    <Card
      title={title}
      note={note}
      actions={
        series.length > 1 && (
          <span className="flex flex-wrap gap-x-3 gap-y-1 text-xs text-dim">
            {series.map((each) => (
              <span key={each.name} className="flex items-center gap-1.5">
                <span aria-hidden className="size-2.5 rounded-sm" style={{ background: each.color }} />
                {each.name}
              </span>
            ))}
          </span>
        )
      }
    >
      <div ref={box} className="relative">
        <svg
          role="img"
          aria-labelledby={id}
          width="100%"
          height={HEIGHT}
          viewBox={`0 0 ${width} ${HEIGHT}`}
          className="block"
          onPointerLeave={() => setAt(undefined)}
          onPointerMove={(event) => {
            const group = Math.floor((event.clientX - event.currentTarget.getBoundingClientRect().left - LEFT) / slot)
            setAt(group >= 0 && group < labels.length ? group : undefined)
          }}
        >
          <title id={id}>{title}</title>
          {[0, 0.5, 1].map((share) => (
            <g key={share}>
              <line x1={LEFT} x2={width} y1={y(top * share)} y2={y(top * share)} stroke="var(--line)" />
              <text x={LEFT - 8} y={y(top * share) + 4} textAnchor="end" fontSize="11" fill="var(--dim)">
                {format(top * share)}
              </text>
            </g>
          ))}
          {labels.map(
            (label, group) =>
              group % every === 0 && (
                <text key={group} x={x(group)} y={HEIGHT - 5} textAnchor="middle" fontSize="11" fill="var(--dim)">
                  {label}
                </text>
              ),
          )}
          {at !== undefined && <rect x={LEFT + slot * at} width={slot} y={TOP} height={HEIGHT - TOP - BOTTOM} fill="var(--sunk)" />}
          {kind === 'bars'
            ? labels.map((_, group) => {
                let below = 0
                return series.map((each) => {
                  const value = each.values[group] ?? 0
                  const from = below
                  below += value
                  return value > 0 && <rect key={each.name + group} x={x(group) - bar / 2} width={bar} y={y(below)} height={Math.max(0, y(from) - y(below))} fill={each.color} rx={Math.min(2, bar / 3)} />
                })
              })
            : series.map((each) => <Line key={each.name} values={each.values} color={each.color} x={x} y={y} />)}
        </svg>
        {at !== undefined && (
          <div
            className="pointer-events-none absolute top-0 rounded-lg border border-line bg-raised px-2.5 py-1.5 text-xs shadow-lg"
            style={x(at) > width / 2 ? { right: width - x(at) + slot / 2 + 6 } : { left: x(at) + slot / 2 + 6 }}
          >
            <p className="font-medium">{labels[at]}</p>
            {series.map((each) => {
              const value = each.values[at]
              return (
                <p key={each.name} className={cx('num flex justify-between gap-3', value === null && 'text-dim')}>
                  <span>{each.name}</span>
                  <span>{value === null || value === undefined ? '–' : format(value)}</span>
                </p>
              )
            })}
          </div>
        )}
      </div>
      <details className="mt-1 text-[0.8125rem] text-dim">
        <summary className="w-fit hover:text-ink">As a table</summary>
        <div className="mt-2 max-h-64 overflow-auto" tabIndex={0} role="region" aria-label={`${title}, as a table`}>
          <table className="w-full text-left">
            <thead>
              <tr>
                <th scope="col" className="py-1 pr-4 font-medium">
                  Time
                </th>
                {series.map((each) => (
                  <th key={each.name} scope="col" className="py-1 pr-4 font-medium">
                    {each.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {labels.map((label, group) => (
                <tr key={group}>
                  <td className="py-0.5 pr-4">{label}</td>
                  {series.map((each) => {
                    const value = each.values[group]
                    return (
                      <td key={each.name} className="py-0.5 pr-4">
                        {value === null || value === undefined ? '–' : format(value)}
                      </td>
                    )
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </Card>
  )
}

/** Where nothing was measured the line is broken; a point alone is a dot. */
function Line({ values, color, x, y }: { values: (number | null)[]; color: string; x: (group: number) => number; y: (value: number) => number }) {
  let path = ''
  const dots: number[] = []
  values.forEach((value, group) => {
    if (value === null) return
    const before = values[group - 1] ?? null
    path += `${before === null ? 'M' : 'L'}${x(group).toFixed(1)},${y(value).toFixed(1)}`
    if (before === null && (values[group + 1] ?? null) === null) dots.push(group)
  })
  return (
    <>
      <path d={path} fill="none" stroke={color} strokeWidth="2" strokeLinejoin="round" strokeLinecap="round" />
      {dots.map((group) => (
        <circle key={group} cx={x(group)} cy={y(values[group] ?? 0)} r="3" fill={color} />
      ))}
    </>
  )
}
