// Places a call and goes to it.
import { useNavigate } from '@tanstack/react-router'
import { api, take } from '../api/client'
import type { UserDocument } from '../api/schema'
import { Dialog } from '../ui/dialog'
import { Fields, Form, type Spec } from '../ui/form'

const specs: Spec[] = [
  { name: 'number', label: 'Number', required: true, wide: true, mono: true, placeholder: '+15551234567', hint: 'A telephone number, an extension, or a SIP address.' },
  { name: 'message', label: 'First words', kind: 'long', maxLength: 2000, wide: true, hint: 'Spoken instead of the greeting.' },
  { name: 'instructions', label: 'Instructions for this call', kind: 'long', maxLength: 20000, wide: true, hint: "In place of the user's." },
]

export function DialDialog({ user, onClose }: { user: UserDocument; onClose: () => void }) {
  const navigate = useNavigate()
  return (
    <Dialog title={`Call as ${user.display_name || user.user_id}`} onClose={onClose}>
      <Form
        always
        verb="Call"
        specs={specs}
        initial={{ number: '', message: '', instructions: '' }}
        submit={async (body) => {
          const begun = await take(api.POST('/users/{user_id}/call', { params: { path: { user_id: user.user_id } }, body: body as never }))
          onClose()
          await navigate({ to: '/calls/$id', params: { id: begun.call_id } })
        }}
      >
        <Fields specs={specs} />
      </Form>
    </Dialog>
  )
}
