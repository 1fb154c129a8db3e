// The row of tabs of a screen. Where it is wider than its place it scrolls, and the one that is open is in sight.
import { Tabs } from 'radix-ui'
import { useEffect, useRef } from 'react'

export function TabList({ label, tabs, open }: { label: string; tabs: readonly (readonly [id: string, name: string])[]; open: string | undefined }) {
  const list = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const row = list.current
    if (!row) return
    // The row alone is scrolled: scrolling into view would move the page as well.
    const show = () => {
      const tab = row.querySelector<HTMLElement>('[data-state=active]')
      if (tab) row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2
    }
    const resized = new ResizeObserver(show)
    resized.observe(row)
    return () => resized.disconnect()
  }, [open])
  return (
    <Tabs.List ref={list} aria-label={label} className="-mx-4 mb-5 flex gap-1 overflow-x-auto border-b border-line px-4 sm:mx-0 sm:px-0">
      {tabs.map(([id, name]) => (
        <Tabs.Trigger
          key={id}
          value={id}
          className="-mb-px border-b-2 border-transparent px-2.5 py-2 text-sm font-medium whitespace-nowrap text-dim hover:text-ink data-[state=active]:border-accent data-[state=active]:text-ink"
        >
          {name}
        </Tabs.Trigger>
      ))}
    </Tabs.List>
  )
}
