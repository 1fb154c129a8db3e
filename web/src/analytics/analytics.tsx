import { Heading } from '../ui/parts'
export const Analytics = () => <Heading title="Analytics" />
